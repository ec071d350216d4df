-- The newest deliveries first, of whichever organisation: the console's page, and telling deliveries again.
CREATE UNIQUE INDEX delivery_position ON delivery (position);

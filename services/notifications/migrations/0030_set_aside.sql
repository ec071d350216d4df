-- Deliveries whose end the database refused are counted at each sweep: there are hardly ever any.
CREATE INDEX delivery_set_aside ON delivery (closed_at) WHERE status = 'failed' AND reason = 'set-aside';

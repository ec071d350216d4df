-- Whether a delivery told of what had happened long before it was recorded. Null where nobody said so yet (notices from
-- before, and a console of the version before).
ALTER TABLE delivery ADD COLUMN late boolean;

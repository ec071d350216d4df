-- What an organisation must acknowledge, as its roster says it, and of each delivery how soon, counted from when it was
-- decided. No clock runs here: transitions opens a task for it.
ALTER TABLE organisation ADD COLUMN must_acknowledge jsonb NOT NULL DEFAULT '[]';
ALTER TABLE delivery ADD COLUMN acknowledgement text CHECK (acknowledgement IN ('routine', 'urgent', 'stat')),
    ADD COLUMN asked_at timestamptz,
    ADD CHECK ((acknowledgement IS NULL) = (asked_at IS NULL));

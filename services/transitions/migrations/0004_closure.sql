-- Evidence that another event may take back (an appointment cancelled, a visit entered in error), and what an event says
-- beside who, when and what, as far as a protocol may ask for it.
ALTER TABLE evidence ADD COLUMN about text, ADD COLUMN recorded timestamptz,
    ADD COLUMN details jsonb NOT NULL DEFAULT '{}';

-- Messages whose bytes are kept and acknowledged, and which are still to be interpreted: docs/adr/0007. A row goes in the
-- transaction in which its message takes effect, so each does so once, whoever interprets it.
CREATE TABLE arrival (
    id uuid PRIMARY KEY,               -- will be the message's
    received_at timestamptz NOT NULL,
    host text NOT NULL,                -- where it came from: a sender nobody knows is taken from loopback alone
    raw bytea NOT NULL                 -- sealed as in message
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
ALTER TABLE arrival ALTER COLUMN raw SET STORAGE EXTERNAL;

-- In the statement that writes what these messages say. Fails when somebody else has interpreted one of them meanwhile.
CREATE FUNCTION arrivals_interpreted(interpreted uuid[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    gone integer;
BEGIN
    IF cardinality(interpreted) = 0 THEN
        RETURN;
    END IF;
    DELETE FROM arrival WHERE id = ANY (interpreted);
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone <> cardinality(interpreted) THEN
        RAISE EXCEPTION 'interpreted meanwhile' USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

-- The log is searched by trigger, of one feed or of all. What these two cost is measured: docs/benchmarks.md, message
-- log. On a log that is already large, building them takes minutes, before intake starts.
CREATE INDEX message_trigger ON message (trigger, feed, id);
-- Held messages are counted by reason and feed, and looked through each second for those that a merge sets free. Only
-- these cost it.
CREATE INDEX message_held ON message (reason, feed, id) WHERE outcome = 'held';

-- The partition of one day, unless it is there, or the default one has already taken messages of that day.
CREATE FUNCTION message_day(wanted date) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text := 'message_' || to_char(wanted, 'YYYYMMDD');
    least uuid := first_id(wanted::timestamp AT TIME ZONE 'UTC');
    next uuid := first_id((wanted + 1)::timestamp AT TIME ZONE 'UTC');
BEGIN
    IF to_regclass(name) IS NULL
       AND NOT EXISTS (SELECT 1 FROM message_default WHERE id >= least AND id < next) THEN
        EXECUTE format('CREATE TABLE %I PARTITION OF message FOR VALUES FROM (%L) TO (%L) '
                       'WITH (toast_tuple_target = 8160)', name, least, next);
    END IF;
END $$;

CREATE OR REPLACE FUNCTION message_maintain() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(current_schema() || '.message_maintain'));
    PERFORM message_day(d::date) FROM generate_series(today, today + 3, interval '1 day') d;
END $$;

-- The day partitions that ended before this instant, oldest first.
CREATE FUNCTION message_days_before(instant timestamptz) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'message'::regclass AND c.relname ~ '^message_\d{8}$'
      AND (to_date(right(c.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC' <= instant
    ORDER BY 1
$$;

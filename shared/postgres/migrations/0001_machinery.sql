-- The event machinery of one service, in that service's schema: what it says (outbox), what it has heard (watermark,
-- position) and what it could not take in (blocked_key, parked_event, dead_letter).

-- The epoch rises when this database was restored from a backup: sequences then start anew, and readers know it.
CREATE TABLE epoch (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch integer NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
INSERT INTO epoch (epoch) VALUES (1);

-- One row a patient (or feed, or other key): every writer locks it first, in id order, so that nobody deadlocks and
-- one patient's changes happen one after the other. A retired patient's row names the survivor.
CREATE TABLE patient_key (
    id text PRIMARY KEY,
    survivor text REFERENCES patient_key (id),
    CHECK (survivor IS DISTINCT FROM id)
);
CREATE INDEX patient_key_survivor ON patient_key (survivor) WHERE survivor IS NOT NULL;

-- The last sequence number said per topic and subject; gap-free within an epoch.
CREATE TABLE stream (
    topic text NOT NULL,
    subject text NOT NULL,
    epoch integer NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (topic, subject)
) WITH (fillfactor = 80);

-- What this service says. Appended in the transaction of the effect; published by the relay; dropped by the day.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY,
    day date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    event_id uuid NOT NULL,
    topic text NOT NULL,
    subject text NOT NULL,
    epoch integer NOT NULL,
    sequence bigint NOT NULL,
    type text NOT NULL,
    headers bytea NOT NULL,
    value bytea NOT NULL,
    recorded timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    log_id text,
    partition integer,
    log_offset bigint,
    PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);
-- The relay's only question: what is not published yet, oldest first. It keeps no cursor, since ids commit out of order.
CREATE INDEX outbox_unpublished ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_subject ON outbox (topic, subject, sequence);
CREATE INDEX outbox_place ON outbox (log_id, topic, partition, log_offset);
-- Only a row of a day for which maintenance never ran lands here; an event is never refused for want of a partition.
CREATE TABLE outbox_default PARTITION OF outbox DEFAULT;

-- Creates the partitions for today and the next days, and drops those older than what is kept. Answers how many dropped.
CREATE FUNCTION outbox_maintain(days_kept integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    wanted date;
    old record;
    waiting boolean;
    dropped integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(current_schema() || '.outbox_maintain'));
    FOR wanted IN SELECT generate_series(today, today + 3, interval '1 day')::date LOOP
        IF to_regclass(format('outbox_%s', to_char(wanted, 'YYYYMMDD'))) IS NULL
           AND NOT EXISTS (SELECT 1 FROM outbox_default WHERE day = wanted) THEN
            EXECUTE format('CREATE TABLE outbox_%s PARTITION OF outbox FOR VALUES FROM (%L) TO (%L)',
                           to_char(wanted, 'YYYYMMDD'), wanted, wanted + 1);
        END IF;
    END LOOP;
    FOR old IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'outbox'::regclass AND c.relname ~ '^outbox_[0-9]{8}$'
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < today - days_kept
    LOOP
        -- A day with anything unpublished stays, however old.
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I WHERE published_at IS NULL)', old.relname) INTO waiting;
        IF NOT waiting THEN
            EXECUTE format('DROP TABLE %I', old.relname);
            dropped := dropped + 1;
        END IF;
    END LOOP;
    RETURN dropped;
END $$;

-- Which log (cluster) the relay publishes to; another one means that a republish must come first.
CREATE TABLE relay (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    log_id text,
    opened_at timestamptz,
    last_wave_at timestamptz,
    instance text
);
INSERT INTO relay DEFAULT VALUES;

-- How far each consumer of this service has taken effect, in the same transactions as the effects.
-- `fence` is raised by whoever is assigned the partition; an older owner's transaction then fails.
CREATE TABLE position (
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    log_id text,
    next_offset bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50);

-- The last sequence that took effect per source, topic and subject: at or below it is a duplicate, more is a gap.
CREATE TABLE watermark (
    consumer text NOT NULL,
    source text NOT NULL,
    topic text NOT NULL,
    subject text NOT NULL,
    epoch integer NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (consumer, source, topic, subject)
) WITH (fillfactor = 80);

-- A patient whose events are parked here: others flow. `version` guards what people do to it in the console.
CREATE TABLE blocked_key (
    consumer text NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('failed', 'gap', 'awaiting-merge')),
    detail text NOT NULL,
    state text NOT NULL DEFAULT 'parked' CHECK (state IN ('parked', 'releasing')),
    since timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    waits_source text,
    waits_topic text,
    waits_subject text,
    waits_epoch integer,
    waits_sequence bigint,
    asked_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    PRIMARY KEY (consumer, subject)
);
CREATE INDEX blocked_key_waits ON blocked_key (consumer, waits_source, waits_topic, waits_subject)
    WHERE waits_subject IS NOT NULL;

CREATE TABLE parked_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    subject text NOT NULL,
    source text NOT NULL,
    topic text NOT NULL,
    epoch integer NOT NULL,
    sequence bigint NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    headers bytea NOT NULL,
    value bytea NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (consumer, source, topic, subject, epoch, sequence)
);
CREATE INDEX parked_event_subject ON parked_event (consumer, subject, id);

-- What a person decided not to apply, and why. Never deleted.
CREATE TABLE skipped_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    subject text NOT NULL,
    source text NOT NULL,
    topic text NOT NULL,
    epoch integer NOT NULL,
    from_sequence bigint NOT NULL,
    to_sequence bigint NOT NULL,
    event_id uuid,
    type text,
    headers bytea,
    value bytea,
    reason text NOT NULL,
    actor text NOT NULL,
    skipped_at timestamptz NOT NULL DEFAULT now()
);

-- Records that are no event of the contract: they have no key that could be parked.
CREATE TABLE dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    log_id text NOT NULL,
    log_offset bigint NOT NULL,
    reason text NOT NULL,
    headers bytea NOT NULL,
    value bytea,
    at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (consumer, topic, partition, log_id, log_offset)
);

-- Locks the keys of these subjects and of their survivors, in id order, and answers who stands for whom.
CREATE FUNCTION lock_patients(subjects text[]) RETURNS TABLE (subject text, survivor text) LANGUAGE plpgsql AS $$
DECLARE
    wanted text[];
    locked text[];
BEGIN
    INSERT INTO patient_key (id) SELECT DISTINCT s FROM unnest(subjects) s ORDER BY s ON CONFLICT DO NOTHING;
    LOOP
        SELECT array_agg(DISTINCT x ORDER BY x) INTO wanted FROM (
            SELECT unnest(subjects) AS x
            UNION SELECT k.survivor FROM patient_key k WHERE k.id = ANY (subjects) AND k.survivor IS NOT NULL
        ) all_keys;
        PERFORM 1 FROM patient_key k WHERE k.id = ANY (wanted) ORDER BY k.id FOR UPDATE;
        -- A merge may have committed while we waited: then a survivor is missing from what we locked.
        SELECT array_agg(k.survivor) INTO locked FROM patient_key k
        WHERE k.id = ANY (subjects) AND k.survivor IS NOT NULL AND k.survivor <> ALL (wanted);
        EXIT WHEN locked IS NULL;
    END LOOP;
    RETURN QUERY SELECT k.id, coalesce(k.survivor, k.id) FROM patient_key k WHERE k.id = ANY (subjects);
END $$;

-- As lock_patients, but leaves out whoever is busy: answers only those that are locked now, survivors and all.
CREATE FUNCTION lock_idle_patients(subjects text[]) RETURNS TABLE (subject text, survivor text) LANGUAGE plpgsql AS $$
DECLARE
    wanted text[];
    locked text[];
BEGIN
    INSERT INTO patient_key (id) SELECT DISTINCT s FROM unnest(subjects) s ORDER BY s ON CONFLICT DO NOTHING;
    SELECT array_agg(DISTINCT x ORDER BY x) INTO wanted FROM (
        SELECT unnest(subjects) AS x
        UNION SELECT k.survivor FROM patient_key k WHERE k.id = ANY (subjects) AND k.survivor IS NOT NULL
    ) all_keys;
    SELECT array_agg(id) INTO locked FROM (
        SELECT k.id FROM patient_key k WHERE k.id = ANY (wanted) ORDER BY k.id FOR UPDATE SKIP LOCKED
    ) free;
    RETURN QUERY SELECT k.id, coalesce(k.survivor, k.id) FROM patient_key k
    WHERE k.id = ANY (subjects) AND k.id = ANY (locked) AND coalesce(k.survivor, k.id) = ANY (locked);
END $$;

-- The message log. A message id is a UUID version 7, so a day's messages are a range of ids: partitions by day need no
-- second column in the key, and the newest messages are the last ones of the index.
CREATE TABLE message (
    id uuid PRIMARY KEY,
    received_at timestamptz NOT NULL,
    feed text NOT NULL,
    control_id text NOT NULL,
    trigger text NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('accepted', 'skipped', 'held', 'rejected')),
    reason text,
    code text NOT NULL,                 -- the acknowledgement, in original mode
    doubts text NOT NULL DEFAULT '',    -- fields that could not be read, by name, separated by commas
    patient_id text,
    encounter_id uuid,
    effects jsonb NOT NULL DEFAULT '[]', -- [{"event_id": …, "type": …}]
    sha256 bytea NOT NULL,
    size integer NOT NULL,
    raw bytea NOT NULL,                 -- AES-256-GCM: 12 bytes nonce, then ciphertext and tag; the id is authenticated
    version integer NOT NULL DEFAULT 1, -- rises when a person replays or skips it
    note text,                          -- why a person skipped it
    decided_by text
) PARTITION BY RANGE (id);
CREATE INDEX message_feed ON message (feed, id);
CREATE INDEX message_control_id ON message (control_id, id);
CREATE INDEX message_patient ON message (patient_id, id) WHERE patient_id IS NOT NULL;
CREATE INDEX message_encounter ON message (encounter_id, id) WHERE encounter_id IS NOT NULL;
CREATE INDEX message_not_applied ON message (outcome, id) WHERE outcome <> 'accepted';
-- Ciphertext can't be compressed, and most messages fit into a page: kept in the row, they cost no second table and index.
ALTER TABLE message ALTER COLUMN raw SET STORAGE EXTERNAL;
-- Bytes are never refused for want of a partition.
CREATE TABLE message_default PARTITION OF message DEFAULT WITH (toast_tuple_target = 8160);

-- The least UUID version 7 of an instant.
CREATE FUNCTION first_id(at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '0000' || repeat('0', 16))::uuid
$$;

-- Partitions for today and the next days. Callable at any time, by several at once.
CREATE FUNCTION message_maintain() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    wanted date;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(current_schema() || '.message_maintain'));
    FOR wanted IN SELECT generate_series(today, today + 3, interval '1 day')::date LOOP
        IF to_regclass(format('message_%s', to_char(wanted, 'YYYYMMDD'))) IS NULL
           AND NOT EXISTS (SELECT 1 FROM message_default
                           WHERE id >= first_id(wanted::timestamp AT TIME ZONE 'UTC')
                             AND id < first_id((wanted + 1)::timestamp AT TIME ZONE 'UTC')) THEN
            EXECUTE format('CREATE TABLE message_%s PARTITION OF message FOR VALUES FROM (%L) TO (%L) '
                           'WITH (toast_tuple_target = 8160)',
                           to_char(wanted, 'YYYYMMDD'),
                           first_id(wanted::timestamp AT TIME ZONE 'UTC'),
                           first_id((wanted + 1)::timestamp AT TIME ZONE 'UTC'));
        END IF;
    END LOOP;
END $$;
SELECT message_maintain();

-- Tells duplicates across all days: uniqueness does not cross partitions. Only what was positively acknowledged is
-- here. The control id alone would not do: senders recycle it.
CREATE TABLE message_key (
    feed text NOT NULL,
    control_id text NOT NULL,
    sha256 bytea NOT NULL,
    message_id uuid NOT NULL,
    PRIMARY KEY (feed, control_id, sha256)
);
CREATE TABLE duplicates (
    feed text NOT NULL,
    minute timestamptz NOT NULL,
    trigger text NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (feed, minute, trigger)
);

-- Who is who. A row never changes: that one record was merged into another is said by patient_key.
CREATE TABLE identifier (
    authority text NOT NULL,
    type text NOT NULL,
    value text NOT NULL,
    patient_id text NOT NULL,
    PRIMARY KEY (authority, type, value)
);
CREATE INDEX identifier_patient ON identifier (patient_id);

CREATE TABLE patient (
    id text PRIMARY KEY,
    version integer NOT NULL,
    record jsonb NOT NULL,   -- what was said of the patient, newest first: see patient.py
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

CREATE TABLE encounter (
    id uuid PRIMARY KEY,
    authority text NOT NULL,
    type text NOT NULL,
    value text NOT NULL,
    patient_id text NOT NULL,
    feed text NOT NULL,
    facility jsonb NOT NULL,
    version integer NOT NULL,
    status text NOT NULL,
    state jsonb NOT NULL,      -- the fold so far: see encounter.py
    announced jsonb NOT NULL,  -- milestones said and not taken back, with their event ids
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (authority, type, value)
) WITH (fillfactor = 70, toast_tuple_target = 8160); -- rewritten with each message: compressing it each time costs more
CREATE INDEX encounter_patient ON encounter (patient_id);
CREATE INDEX encounter_open ON encounter (id) WHERE status IN ('planned', 'arrived', 'triaged', 'in-progress', 'onleave');

-- Every fact of a stay, for ever: a late one means folding all of them again.
CREATE TABLE encounter_fact (
    encounter_id uuid NOT NULL,
    message_id uuid NOT NULL,
    fact jsonb NOT NULL,
    PRIMARY KEY (encounter_id, message_id)
);

-- Minutes whose count was said: the one who inserts the row says it.
CREATE TABLE counted_minute (
    feed text NOT NULL,
    minute timestamptz NOT NULL,
    PRIMARY KEY (feed, minute)
);

-- The records of these identifiers. An unknown one joins the known record of the same message (same proposal), in the
-- order of preference, else it starts the proposed record. Sorted, so that two writers never wait for each other.
CREATE FUNCTION identify(authorities text[], types text[], vals text[], positions integer[], proposals text[])
RETURNS TABLE (authority text, type text, value text, patient_id text) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO identifier (authority, type, value, patient_id)
    SELECT g.authority, g.type, g.value, coalesce(
        first_value(k.patient_id) OVER (PARTITION BY g.proposal ORDER BY k.patient_id IS NULL, g.position), g.proposal)
    FROM unnest(authorities, types, vals, positions, proposals) AS g (authority, type, value, position, proposal)
    LEFT JOIN identifier k USING (authority, type, value)
    ORDER BY 1, 2, 3, 4
    ON CONFLICT DO NOTHING;
    RETURN QUERY
    SELECT DISTINCT k.authority, k.type, k.value, k.patient_id
    FROM unnest(authorities, types, vals) AS g (authority, type, value) JOIN identifier k USING (authority, type, value);
END $$;

-- A group's keys are few and the tables large: always by index. A plan must not hang on the statistics of a table that
-- was empty a minute ago.
-- One round trip at the head of a group: lock who is idle, then read what the group needs. The reading statements run
-- after the locks are held and take new snapshots, so they see what the last holder committed.
CREATE FUNCTION open_group(
    subjects text[], feeds text[], control_ids text[], digests bytea[], authorities text[], types text[], vals text[]
) RETURNS TABLE (
    what text, authority text, type text, value text, id text, patient_id text, version integer, feed text,
    first jsonb, second jsonb, third jsonb
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    survivors text[];
BEGIN
    PERFORM set_config('lock_timeout', '50ms', true);
    -- The statements of a group are always the same: planning them anew cost a fifth of the server's time.
    PERFORM set_config('plan_cache_mode', 'force_generic_plan', true);
    RETURN QUERY
    SELECT 'lock', NULL, NULL, NULL, l.subject, l.survivor, NULL::integer, NULL, NULL::jsonb, NULL::jsonb, NULL::jsonb
    FROM lock_idle_patients(subjects) l;
    SELECT array_agg(coalesce(k.survivor, k.id)) INTO survivors FROM patient_key k WHERE k.id = ANY (subjects);
    RETURN QUERY
    SELECT 'duplicate', NULL, k.control_id, encode(k.sha256, 'hex'), k.message_id::text, NULL, NULL::integer, k.feed,
           NULL::jsonb, NULL::jsonb, NULL::jsonb
    FROM unnest(feeds, control_ids, digests) AS g (feed, control_id, sha256)
    JOIN message_key k USING (feed, control_id, sha256)
    UNION ALL
    SELECT 'patient', NULL, NULL, NULL, p.id, NULL, p.version, NULL, p.record, NULL::jsonb, NULL::jsonb
    FROM patient p WHERE p.id = ANY (survivors)
    UNION ALL
    SELECT 'stay', e.authority, e.type, e.value, e.id::text, e.patient_id, e.version, e.feed,
           e.state, e.announced, e.facility
    FROM unnest(authorities, types, vals) AS g (authority, type, value)
    JOIN encounter e USING (authority, type, value);
END $$;

-- A group of messages in one statement, so that it takes one round trip and commits by itself: see committing.py and
-- docs/adr/0005-group-commit.md. What was read without locks comes with the version it had; whatever has changed since
-- makes the whole statement fail with serialization_failure or unique_violation, and nothing is done.
CREATE TYPE told_identifier AS (authority text, type text, value text, patient_id text);
CREATE TYPE told_message AS (
    id uuid, received_at timestamptz, feed text, control_id text, trigger text, outcome text, reason text, code text,
    doubts text, patient_id text, encounter_id uuid, effects jsonb, sha256 bytea, size integer, raw bytea, is_key boolean
);
-- known_version is that of the row as read; 0 where there was none.
CREATE TYPE told_patient AS (id text, known_version integer, version integer, record jsonb);
CREATE TYPE told_stay AS (
    id uuid, authority text, type text, value text, patient_id text, feed text, facility jsonb, known_version integer,
    version integer, status text, state jsonb, announced jsonb
);
CREATE TYPE told_fact AS (encounter_id uuid, message_id uuid, fact jsonb);
CREATE TYPE told_duplicate AS (feed text, minute timestamptz, trigger text, count integer);

CREATE FUNCTION expect(done bigint, wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF done <> wanted THEN
        RAISE EXCEPTION 'changed since it was read' USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

-- Makes new identifiers known and locks the group's patients, all in the order of their ids. Nobody is waited for but a
-- writer of the same new identifier: whoever is busy, was merged away, or was made known by another has changed.
CREATE FUNCTION take_patients(identifiers told_identifier[], new_records text[], known_records text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    IF cardinality(identifiers) > 0 THEN
        INSERT INTO identifier (authority, type, value, patient_id)
        SELECT i.authority, i.type, i.value, i.patient_id FROM unnest(identifiers) AS i ORDER BY 1, 2, 3
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS found = ROW_COUNT;
        PERFORM expect(found, cardinality(identifiers));
    END IF;
    IF cardinality(new_records) > 0 THEN
        INSERT INTO patient_key (id) SELECT unnest(new_records);
    END IF;
    IF cardinality(known_records) > 0 THEN
        PERFORM 1 FROM patient_key k WHERE k.id = ANY (known_records) AND k.survivor IS NULL
        ORDER BY k.id FOR UPDATE SKIP LOCKED;
        GET DIAGNOSTICS found = ROW_COUNT;
        PERFORM expect(found, cardinality(known_records));
    END IF;
END $$;

-- Stores messages and what they changed. The patients are locked. A message that is read once more keeps its row, its
-- key and its bytes.
CREATE FUNCTION store_group(
    messages told_message[], patients told_patient[], stays told_stay[], facts told_fact[], repeats told_duplicate[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    changed bigint;
    wanted bigint;
BEGIN
    IF cardinality(messages) > 0 THEN
        INSERT INTO message_key (feed, control_id, sha256, message_id)
        SELECT m.feed, m.control_id, m.sha256, m.id FROM unnest(messages) AS m WHERE m.is_key ORDER BY 1, 2, 3;
        INSERT INTO message AS m (id, received_at, feed, control_id, trigger, outcome, reason, code, doubts, patient_id,
                                  encounter_id, effects, sha256, size, raw)
        SELECT t.id, t.received_at, t.feed, t.control_id, t.trigger, t.outcome, t.reason, t.code, t.doubts,
               t.patient_id, t.encounter_id, t.effects, t.sha256, t.size, t.raw FROM unnest(messages) AS t
        ON CONFLICT (id) DO UPDATE SET
            feed = excluded.feed, trigger = excluded.trigger, outcome = excluded.outcome, reason = excluded.reason,
            doubts = excluded.doubts, patient_id = excluded.patient_id, encounter_id = excluded.encounter_id,
            effects = m.effects || excluded.effects, version = m.version + 1
        WHERE m.outcome <> 'accepted';
    END IF;
    IF cardinality(patients) > 0 THEN
        INSERT INTO patient (id, version, record)
        SELECT t.id, t.version, t.record FROM unnest(patients) AS t WHERE t.known_version = 0;
        GET DIAGNOSTICS changed = ROW_COUNT;
        wanted := cardinality(patients) - changed;
        IF wanted > 0 THEN
            UPDATE patient p SET version = t.version, record = t.record, updated_at = now()
            FROM unnest(patients) AS t WHERE p.id = t.id AND t.known_version > 0 AND p.version = t.known_version;
            GET DIAGNOSTICS changed = ROW_COUNT;
            PERFORM expect(changed, wanted);
        END IF;
    END IF;
    IF cardinality(stays) > 0 THEN
        INSERT INTO encounter (id, authority, type, value, patient_id, feed, facility, version, status, state, announced)
        SELECT t.id, t.authority, t.type, t.value, t.patient_id, t.feed, t.facility, t.version, t.status, t.state,
               t.announced
        FROM unnest(stays) AS t WHERE t.known_version = 0 ORDER BY 2, 3, 4;
        GET DIAGNOSTICS changed = ROW_COUNT;
        wanted := cardinality(stays) - changed;
        IF wanted > 0 THEN
            UPDATE encounter e SET version = t.version, status = t.status, state = t.state, announced = t.announced,
                                   updated_at = now()
            FROM unnest(stays) AS t
            WHERE e.id = t.id AND t.known_version > 0 AND e.version = t.known_version AND e.patient_id = t.patient_id;
            GET DIAGNOSTICS changed = ROW_COUNT;
            PERFORM expect(changed, wanted);
        END IF;
        INSERT INTO encounter_fact (encounter_id, message_id, fact)
        SELECT t.encounter_id, t.message_id, t.fact FROM unnest(facts) AS t;
    END IF;
    IF cardinality(repeats) > 0 THEN
        INSERT INTO duplicates AS d (feed, minute, trigger, count)
        SELECT t.feed, t.minute, t.trigger, t.count FROM unnest(repeats) AS t ORDER BY 1, 2, 3
        ON CONFLICT (feed, minute, trigger) DO UPDATE SET count = d.count + excluded.count;
    END IF;
END $$;

-- All of it, in this order: nothing of a patient is touched before the patient is locked.
CREATE FUNCTION write_group(
    identifiers told_identifier[], new_records text[], known_records text[],
    messages told_message[], patients told_patient[], stays told_stay[], facts told_fact[], repeats told_duplicate[],
    stream_topics text[], stream_subjects text[], stream_events integer[],
    event_ids uuid[], streams integer[], nths integer[], types text[], headers bytea[], vals bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM take_patients(identifiers, new_records, known_records);
    PERFORM store_group(messages, patients, stays, facts, repeats);
    IF cardinality(event_ids) > 0 THEN
        PERFORM append_outbox(stream_topics, stream_subjects, stream_events, event_ids, streams, nths, types, headers,
                              vals);
    END IF;
END $$;

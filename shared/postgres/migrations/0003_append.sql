-- Numbers events and appends them to the outbox: the next numbers of each stream, in the order given. The streams come
-- sorted by the bytes of topic and subject, each with the count of its events; an event names its stream by its place
-- there and its own place within it. The headers that only the server knows are put before the rest. A function, so
-- that a use case which is one statement can say its events in that statement.
CREATE FUNCTION append_outbox(
    stream_topics text[], stream_subjects text[], stream_events integer[],
    event_ids uuid[], streams integer[], nths integer[], types text[], headers bytea[], vals bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    now_epoch integer := (SELECT e.epoch FROM epoch e);
    recorded_at timestamptz := clock_timestamp();
    recorded_text text := to_char(recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"');
    numbers bigint[];
BEGIN
    WITH numbered AS (
        INSERT INTO stream AS s (topic, subject, epoch, sequence)
        SELECT t.topic, t.subject, now_epoch, t.events
        FROM unnest(stream_topics, stream_subjects, stream_events) AS t (topic, subject, events)
        ON CONFLICT (topic, subject) DO UPDATE SET
            sequence = CASE WHEN s.epoch = excluded.epoch THEN s.sequence ELSE 0 END + excluded.sequence,
            epoch = excluded.epoch
        RETURNING s.topic, s.subject, s.sequence
    )
    SELECT array_agg(n.sequence ORDER BY n.topic COLLATE "C", n.subject COLLATE "C") INTO numbers FROM numbered n;
    INSERT INTO outbox (event_id, topic, subject, epoch, sequence, type, headers, value, recorded)
    SELECT d.event_id, stream_topics[d.stream], stream_subjects[d.stream], now_epoch, d.number, d.type,
           convert_to('{"ce_patientsequence":"' || lpad(d.number::text, 12, '0') || '","ce_epoch":"' || now_epoch
                      || '","ce_recorded":"' || recorded_text || '",', 'UTF8') || substring(d.headers FROM 2),
           d.value, recorded_at
    FROM (
        SELECT t.*, numbers[t.stream] - stream_events[t.stream] + t.nth AS number
        FROM unnest(event_ids, streams, nths, types, headers, vals)
             WITH ORDINALITY AS t (event_id, stream, nth, type, headers, value, place)
    ) d
    ORDER BY d.place;
END $$;

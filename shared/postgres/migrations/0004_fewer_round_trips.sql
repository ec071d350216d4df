-- What a consumer asks before it applies a batch, in one round trip; and locks in fewer statements.

-- As before: locks the keys of these subjects and of their survivors, in id order, and answers who stands for whom.
-- Who is there already and was never merged, nearly everyone, costs one look and one lock.
CREATE OR REPLACE FUNCTION lock_patients(subjects text[]) RETURNS TABLE (subject text, survivor text)
LANGUAGE plpgsql AS $$
DECLARE
    known bigint;
    asked bigint;
    wanted text[];
    ids text[];
    survivors text[];
BEGIN
    SELECT count(DISTINCT s) INTO asked FROM unnest(subjects) s;
    SELECT count(*), subjects || array_remove(array_agg(k.survivor), NULL) INTO known, wanted
    FROM patient_key k WHERE k.id = ANY (subjects);
    IF known < asked THEN
        INSERT INTO patient_key (id) SELECT DISTINCT s FROM unnest(subjects) s ORDER BY s ON CONFLICT DO NOTHING;
        -- Who was inserted by another meanwhile may have been merged since.
        SELECT subjects || array_remove(array_agg(k.survivor), NULL) INTO wanted
        FROM patient_key k WHERE k.id = ANY (subjects);
    END IF;
    LOOP
        SELECT array_agg(f.id), array_agg(f.survivor) INTO ids, survivors FROM (
            SELECT k.id, k.survivor FROM patient_key k WHERE k.id = ANY (wanted) ORDER BY k.id FOR UPDATE
        ) f;
        -- A merge may have committed while we waited: then a survivor is missing from what we locked.
        EXIT WHEN NOT EXISTS (
            SELECT 1 FROM unnest(ids, survivors) AS l (id, survivor)
            WHERE l.id = ANY (subjects) AND l.survivor <> ALL (wanted)
        );
        wanted := subjects || array_remove(survivors, NULL);
    END LOOP;
    RETURN QUERY SELECT l.id, coalesce(l.survivor, l.id) FROM unnest(ids, survivors) AS l (id, survivor)
    WHERE l.id = ANY (subjects);
END $$;

-- Locks these subjects, and answers three kinds of rows: 'key' (subject, survivor), 'mark' (source, topic, subject and
-- the epoch and sequence that took effect last), 'parked' (subject, reason) of those in `heard`.
CREATE FUNCTION take_up(reader text, subjects text[], heard text[], sources text[], topics text[], keys text[])
RETURNS TABLE (kind text, a text, b text, c text, epoch integer, sequence bigint) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT 'key', l.subject, l.survivor, NULL, NULL::integer, NULL::bigint FROM lock_patients(subjects) l;
    RETURN QUERY SELECT 'mark', w.source, w.topic, w.subject, w.epoch, w.sequence
    FROM unnest(sources, topics, keys) AS u (source, topic, subject)
    JOIN watermark w ON w.consumer = reader AND w.source = u.source AND w.topic = u.topic AND w.subject = u.subject;
    RETURN QUERY SELECT 'parked', p.subject, p.reason, NULL, NULL::integer, NULL::bigint
    FROM (SELECT k.subject, k.reason FROM blocked_key k WHERE k.consumer = reader AND k.subject = ANY (heard)
          FOR UPDATE) p;
END $$;

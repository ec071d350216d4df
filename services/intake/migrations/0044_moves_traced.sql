-- Whose a stay is follows from what was said of it, of moves and of merges, in the order in which it was said (tracing).
-- So a move is kept as a whole, and of every joining of two records it is kept which ones were named, and when.
ALTER TABLE stay_move ADD COLUMN fact jsonb;            -- the message's own fact; null: told before this was kept
-- When its stays were last looked at. What was told before this counts as looked at: stays that change are looked at anew.
ALTER TABLE stay_move ADD COLUMN traced_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE stay_move ALTER COLUMN traced_at SET DEFAULT '-infinity';
-- Moves are looked at some at a time, in the order in which they were told; first those that were never looked at.
DROP INDEX stay_move_told;
CREATE INDEX stay_move_told ON stay_move (told_at, message_id);
CREATE INDEX stay_move_untraced ON stay_move (told_at, message_id) WHERE traced_at = '-infinity';
CREATE INDEX stay_move_target ON stay_move (target);

-- Two records were said to be one patient: by a merge or a link. Gone when that is undone.
CREATE TABLE same_patient (
    cause uuid NOT NULL,        -- the message, or the pair
    retired text NOT NULL,
    survivor text NOT NULL,
    said jsonb NOT NULL,        -- the order of the message, as in encounter_fact
    PRIMARY KEY (cause, retired, survivor)
);
CREATE INDEX same_patient_retired ON same_patient (retired);
CREATE INDEX same_patient_survivor ON same_patient (survivor);
INSERT INTO same_patient (cause, retired, survivor, said)
SELECT coalesce(message_id, pair_id, id), retired, survivor,
       jsonb_build_array(at, at, '0', '', '')
FROM identity_join, LATERAL (
    SELECT to_char(joined_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') || '+00:00' AS at
) moment
WHERE undone_at IS NULL ON CONFLICT DO NOTHING;

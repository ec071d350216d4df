-- What is past its time is looked for each hour. Rows of these tables come in the order of time and are hardly changed:
-- a block range index finds the old ones, and costs next to nothing to keep.
CREATE INDEX request_done_at ON request_done USING brin (at);
CREATE INDEX evidence_known ON evidence USING brin (known_at);
CREATE INDEX history_recorded ON history USING brin (recorded);
CREATE INDEX task_known_when ON task_known USING brin (known_at);
CREATE INDEX transition_known_when ON transition_known USING brin (known_at);
CREATE INDEX reading_known ON reading USING brin (known_at);

-- What a transition's page shows of a task beside its clock: until when its ladder rests, who has seen the escalation, and
-- how it ended. Null where nobody said so yet.
ALTER TABLE board_task ADD COLUMN rests_until timestamptz;
ALTER TABLE board_task ADD COLUMN acknowledged_by text;
ALTER TABLE board_task ADD COLUMN closure text;

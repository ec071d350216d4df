-- How high the risk of coming back is, for a card's chip: the score that steers what is looked at first, and every score
-- as it was told last. Null where nobody has told it since an upgrade; `handoff rebuild dashboard` tells it again.
ALTER TABLE board_transition ADD COLUMN risk jsonb;
ALTER TABLE board_transition ADD COLUMN scores jsonb;
-- 1 is looked at first. Apart from the document, so that a filter reads a number.
ALTER TABLE board_transition ADD COLUMN risk_priority smallint;

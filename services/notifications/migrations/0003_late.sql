-- When the event behind a notice was recorded, and whether that was so long after it happened that the notice is told as
-- late. Notices from before have no such time: nobody knows it any more.
ALTER TABLE notice ADD COLUMN event_recorded_at timestamptz, ADD COLUMN late boolean NOT NULL DEFAULT false;

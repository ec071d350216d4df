-- The hour-of-week profile of each feed as it was learned: by slot, [hour since 1970, messages]. Set as a whole by the
-- worker that counts the feed; the judge, the console and a worker without changelogs read it here.
CREATE TABLE signal_profile (
    feed text PRIMARY KEY,
    body jsonb NOT NULL,
    learned_at timestamptz NOT NULL
) WITH (fillfactor = 70);

-- What the feed's own configuration says of its rhythm, in whose zone its week is, and which worker counts it.
ALTER TABLE signal_feed
    ADD COLUMN time_zone text,
    ADD COLUMN quiet_minutes integer,
    ADD COLUMN counted_by text;

-- Since when a signal is no longer found (it is cleared once it was calm for long enough), whose matter it is, and
-- which edition of the thresholds raised it.
ALTER TABLE signal
    ADD COLUMN calm_since timestamptz,
    ADD COLUMN facility text,
    ADD COLUMN rules text;

-- Until when a stay was expected to end: PV2-9, or the end of that day where only a day was said.
ALTER TABLE signal_stay ADD COLUMN expected_by timestamptz;
CREATE INDEX signal_stay_expected ON signal_stay (expected_by) WHERE present AND expected_by IS NOT NULL;

-- Referrals that nobody has booked: the live signals look for those that wait too long.
CREATE INDEX referral_unbooked ON referral (requested_at)
    WHERE is_open AND NOT is_held AND state IN ('requested', 'received', 'accepted');

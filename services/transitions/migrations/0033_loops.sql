-- An alert that is taken back takes back the visit by video that it alone proposed.
ALTER TABLE alert ADD COLUMN telehealth boolean NOT NULL DEFAULT false;

-- Whose turn it is in a referral's loop, so that what is waited for stands in worklists beside tasks: the soonest due
-- first, and of those due at the same time the more urgent.
ALTER TABLE referral ADD COLUMN owner_role text,
    ADD COLUMN rank smallint NOT NULL GENERATED ALWAYS AS (CASE priority WHEN 'routine' THEN 2 ELSE 1 END) STORED;
UPDATE referral SET owner_role = CASE WHEN waiting_for IN ('acknowledgement', 'new-way') THEN 'requester'
    WHEN waiting_for = 'strike-review' THEN 'care-manager' ELSE 'referral-coordinator' END
WHERE waiting_for IS NOT NULL;
CREATE INDEX referral_awaited ON referral (due_at, rank, id) WHERE waiting_for IS NOT NULL;
CREATE INDEX referral_awaited_of_role ON referral (owner_role, due_at, rank, id) WHERE waiting_for IS NOT NULL;

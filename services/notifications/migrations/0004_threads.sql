-- What a notice speaks of beside the stay (a referral, a plan, an appointment), and what it shows of that. A cancel finds
-- by it whoever was told.
ALTER TABLE notice ADD COLUMN thread uuid, ADD COLUMN details jsonb;
CREATE INDEX notice_thread ON notice (thread) WHERE thread IS NOT NULL;

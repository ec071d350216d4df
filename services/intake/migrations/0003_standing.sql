-- What is known of an appointment, an observation, a document or a referral, beside stays. The id follows from feed,
-- kind and identifier, so a correction or a cancel finds what it corrects without a search.
CREATE TABLE standing (
    id uuid PRIMARY KEY,
    about text NOT NULL CHECK (about IN ('appointment', 'observation', 'document', 'referral')),
    feed text NOT NULL,
    patient_id text NOT NULL,
    encounter_id uuid,
    version integer NOT NULL,
    identifier jsonb NOT NULL,
    record jsonb NOT NULL,   -- what was said of it, newest first: see standing.py
    told jsonb,              -- the values that were last told; null: nothing was
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE INDEX standing_patient ON standing (patient_id);
CREATE INDEX standing_encounter ON standing (encounter_id) WHERE encounter_id IS NOT NULL;

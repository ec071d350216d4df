-- Who may be who across authorities: worked out after the commit, from what a group has queued.

-- Patients who are new or whose traits changed. No key beside the id: a group must never wait here for the worker.
CREATE TABLE identity_queue (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id text NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT now()
);

-- A group's own statement queues them: what is told of a patient and that the patient is to be matched commit together.
ALTER TYPE told_patient ADD ATTRIBUTE to_match boolean;
ALTER FUNCTION store_group(told_message[], told_patient[], told_stay[], told_fact[], told_duplicate[]) RENAME TO store_rows;
CREATE FUNCTION store_group(
    messages told_message[], patients told_patient[], stays told_stay[], facts told_fact[], repeats told_duplicate[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM store_rows(messages, patients, stays, facts, repeats);
    IF cardinality(patients) > 0 THEN
        INSERT INTO identity_queue (patient_id) SELECT t.id FROM unnest(patients) AS t WHERE t.to_match;
    END IF;
END $$;

-- Blocking keys, hashed (identity/blocking.py). A key of a trait that changed stays: it only costs a comparison.
CREATE TABLE identity_key (
    key bigint NOT NULL,
    patient_id text NOT NULL,
    PRIMARY KEY (key, patient_id)
);

-- Two patients who may be one, one < other. `parts` explains the score by field: levels and weights, never values.
CREATE TABLE identity_pair (
    id uuid PRIMARY KEY,
    one text NOT NULL,
    other text NOT NULL,
    state text NOT NULL CHECK (state IN ('linking', 'review', 'later', 'linked', 'distinct')),
    grade text NOT NULL,
    score double precision NOT NULL,
    probability double precision NOT NULL,
    parts jsonb NOT NULL,
    guards text[] NOT NULL,
    weights text NOT NULL,              -- version of the configuration that scored it
    found_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    decided_at timestamptz,
    decided_by text,                    -- null: the score decided
    note text,
    UNIQUE (one, other),
    CHECK (one < other)
);
CREATE INDEX identity_pair_open ON identity_pair (state, score DESC, id) WHERE state IN ('linking', 'review', 'later');
CREATE INDEX identity_pair_other ON identity_pair (other);

-- Every joining of two records, so that it can be undone: what the survivor's record said before, and which stays came.
CREATE TABLE identity_join (
    id uuid PRIMARY KEY,
    retired text NOT NULL,
    survivor text NOT NULL,
    basis text NOT NULL CHECK (basis IN ('merge', 'automatic-link', 'link')),
    message_id uuid,
    pair_id uuid,
    survivor_record jsonb NOT NULL,
    stays uuid[] NOT NULL,
    joined_by text,
    joined_at timestamptz NOT NULL DEFAULT now(),
    undone_at timestamptz,
    undone_by text,
    undone_reason text,
    restored text,                      -- the patient id under which the retired record goes on
    version integer NOT NULL DEFAULT 1
);
CREATE INDEX identity_join_retired ON identity_join (retired) WHERE undone_at IS NULL;
CREATE INDEX identity_join_survivor ON identity_join (survivor) WHERE undone_at IS NULL;

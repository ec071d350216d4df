-- Scores that are kept with their inputs, change as more is known, and order worklists.

-- `risk` holds the stay's scores and what they were computed from; `recount_at` is when its length, if it goes on, will
-- change one.
ALTER TABLE transition ADD COLUMN risk jsonb, ADD COLUMN recount_at timestamptz;
CREATE INDEX transition_recount ON transition (recount_at) WHERE recount_at IS NOT NULL;

-- Laboratory values that scores ask for, kept whatever came first. Of results that were corrected, the word recorded last
-- (`known_at`) holds, in whatever order they are heard.
CREATE TABLE laboratory (
    id uuid PRIMARY KEY,
    patient_id text NOT NULL,
    analyte text NOT NULL,
    at timestamptz NOT NULL,
    value numeric,
    withdrawn boolean NOT NULL,
    known_at timestamptz NOT NULL
);
CREATE INDEX laboratory_patient ON laboratory (patient_id, analyte, at);

-- One row a transition, score and distinct set of inputs, newest last: what steered then can be explained now.
CREATE TABLE risk_score (
    transition_id uuid NOT NULL REFERENCES transition (id),
    number integer NOT NULL,
    score text NOT NULL,
    version text NOT NULL,
    points integer NOT NULL,
    lowest integer NOT NULL,
    highest integer NOT NULL,
    band text NOT NULL,
    expected numeric,
    provisional boolean NOT NULL,
    missing text[] NOT NULL,
    inputs jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (transition_id, score, number)
);

-- Among tasks that are due at the same time those of patients at higher risk come first. Each view keeps an index in the
-- order it is paged by.
ALTER TABLE task ADD COLUMN priority smallint NOT NULL DEFAULT 2;
DROP INDEX task_running, task_of_role, task_of_owner, task_of_organisation, task_of_facility, task_escalated;
CREATE INDEX task_running ON task (due_at, priority, id) WHERE status IN ('requested', 'accepted');
CREATE INDEX task_of_role ON task (owner_role, due_at, priority, id) WHERE status IN ('requested', 'accepted');
CREATE INDEX task_of_owner ON task (owner, due_at, priority, id)
    WHERE status IN ('requested', 'accepted') AND owner IS NOT NULL;
CREATE INDEX task_of_organisation ON task (organisation, due_at, priority, id)
    WHERE status IN ('requested', 'accepted');
CREATE INDEX task_of_facility ON task (facility, due_at, priority, id) WHERE status IN ('requested', 'accepted');
CREATE INDEX task_escalated ON task (due_at, priority, id) WHERE status IN ('requested', 'accepted') AND level > 0;
CREATE INDEX task_high_risk ON task (due_at, id) WHERE status IN ('requested', 'accepted') AND priority = 1;

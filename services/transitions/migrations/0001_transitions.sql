-- Transitions of care: what follows from a stay, who must do it, and until when.

-- What stood in the protocols' folder at one time. A transition keeps the edition it was opened under.
CREATE TABLE protocol_edition (
    edition text PRIMARY KEY,
    protocols jsonb NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT now()
);

-- One row a followed stay. `body` is the published Transition; the columns beside it are what only this service needs
-- or what is searched by.
CREATE TABLE transition (
    id uuid PRIMARY KEY,
    encounter_id uuid NOT NULL UNIQUE,
    patient_id text NOT NULL,
    facility text NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'following', 'on-hold', 'closed', 'revoked')),
    standing text NOT NULL CHECK (standing IN ('in-hospital', 'discharged', 'void')),
    version integer NOT NULL,
    encounter_version bigint NOT NULL,
    edition text NOT NULL REFERENCES protocol_edition (edition),
    opened_by uuid NOT NULL,
    discharged_by uuid,
    discharge_heard_at timestamptz,
    told_historical boolean NOT NULL,
    historical boolean NOT NULL,
    is_reviewed boolean NOT NULL,
    readmission_indicator text,
    readmission_of uuid,
    readmission_days integer,
    why text NOT NULL,
    admitted_at timestamptz,
    discharged_at timestamptz,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    body jsonb NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX transition_patient ON transition (patient_id);
CREATE INDEX transition_listed ON transition (changed_at, id);
-- The review list: old news that nobody was told of.
CREATE INDEX transition_review ON transition (changed_at, id) WHERE historical AND NOT is_reviewed;

-- One row an obligation. `fired` counts the ladder's levels that were told; `settled_at` is when the deed was done.
CREATE TABLE task (
    id uuid PRIMARY KEY,
    transition_id uuid NOT NULL REFERENCES transition (id),
    patient_id text NOT NULL,
    facility text NOT NULL,
    code text NOT NULL,
    number integer NOT NULL,
    status text NOT NULL CHECK (status IN ('requested', 'accepted', 'on-hold', 'completed', 'cancelled')),
    version integer NOT NULL,
    owner_role text NOT NULL,
    owner text,
    due_at timestamptz,
    fired smallint NOT NULL,
    settled_by text CHECK (settled_by IN ('evidence', 'person', 'rule')),
    settled_at timestamptz,
    why text,
    body jsonb NOT NULL,
    UNIQUE (transition_id, code, number)
) WITH (fillfactor = 80);
CREATE INDEX task_patient ON task (patient_id);
CREATE INDEX task_running ON task (due_at, id) WHERE status IN ('requested', 'accepted');

-- Every clock of the system: one row a level of a task's ladder, told once. `patient_id` is there so that whoever
-- fires can lock the patient before the task.
CREATE TABLE task_timer (
    task_id uuid NOT NULL REFERENCES task (id),
    level smallint NOT NULL,
    patient_id text NOT NULL,
    due_at timestamptz NOT NULL,
    fired_at timestamptz,
    PRIMARY KEY (task_id, level)
) WITH (fillfactor = 80);
CREATE INDEX task_timer_due ON task_timer (due_at) WHERE fired_at IS NULL;
CREATE INDEX task_timer_patient ON task_timer (patient_id);

-- Deeds that may show a task done. Kept whatever came first: the deed, the discharge or the merge of two records.
CREATE TABLE evidence (
    event_id uuid PRIMARY KEY,
    type text NOT NULL,
    patient_id text NOT NULL,
    at timestamptz NOT NULL,
    of_event uuid,
    transition_id uuid,
    encounter_id uuid
);
CREATE INDEX evidence_patient ON evidence (patient_id, at);

-- What was said of a transition, for its page; the outbox forgets after some days, this does not.
CREATE TABLE history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transition_id uuid NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    recorded timestamptz NOT NULL DEFAULT clock_timestamp(),
    task_id uuid,
    code text,
    reason text,
    caused_by text NOT NULL
);
CREATE INDEX history_transition ON history (transition_id, id);

-- Requests that took effect, by the caller's Idempotency-Key (as a digest): a repeat changes nothing.
CREATE TABLE request_done (
    about uuid NOT NULL,
    key bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (about, key)
);

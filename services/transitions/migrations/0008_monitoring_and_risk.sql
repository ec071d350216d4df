-- Remote monitoring: who is watched and how, what was measured, what it alerted to. And risk scores with their inputs.

-- `limits` are the patient's own, by signal; `missing_at` is when the next silent signal is late.
CREATE TABLE monitoring (
    id uuid PRIMARY KEY,
    patient_id text NOT NULL,
    transition_id uuid NOT NULL REFERENCES transition (id),
    facility text NOT NULL,
    time_zone text NOT NULL,
    signals text[] NOT NULL,
    variant text,
    limits jsonb NOT NULL,
    since timestamptz NOT NULL,
    ended_at timestamptz,
    missing_at timestamptz,
    version integer NOT NULL,
    UNIQUE (transition_id)
) WITH (fillfactor = 80);
CREATE INDEX monitoring_patient ON monitoring (patient_id) WHERE ended_at IS NULL;
CREATE INDEX monitoring_missing ON monitoring (missing_at) WHERE ended_at IS NULL;

-- One row a measurement, in the signal's own unit; a correction rewrites it, a withdrawn one stays, marked.
CREATE TABLE reading (
    id uuid PRIMARY KEY,
    patient_id text NOT NULL,
    signal text NOT NULL,
    at timestamptz NOT NULL,
    value numeric,
    quality text NOT NULL CHECK (quality IN ('good', 'implausible', 'unit-unknown', 'no-number', 'withdrawn')),
    said text,
    unit text,
    event_id uuid NOT NULL,
    known_at timestamptz NOT NULL
);
CREATE INDEX reading_patient ON reading (patient_id, signal, at);
-- What nobody can judge: the quality list, not the clinical one.
CREATE INDEX reading_doubtful ON reading (known_at) WHERE quality IN ('implausible', 'unit-unknown', 'no-number');

CREATE TABLE alert (
    id uuid PRIMARY KEY,
    monitoring_id uuid NOT NULL REFERENCES monitoring (id),
    patient_id text NOT NULL,
    facility text NOT NULL,
    signal text NOT NULL,
    rule text NOT NULL,
    severity smallint NOT NULL,
    reading_id uuid,
    text text NOT NULL,
    raised_at timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    withdrawn_at timestamptz,
    withdrawn_because text,
    task_id uuid
);
CREATE INDEX alert_patient ON alert (patient_id, signal);
CREATE INDEX alert_open ON alert (raised_at, id) WHERE acknowledged_at IS NULL AND withdrawn_at IS NULL;

-- Laboratory values that scores ask for (the last ones of a stay decide), kept whatever came first.
CREATE TABLE laboratory (
    id uuid PRIMARY KEY,
    patient_id text NOT NULL,
    analyte text NOT NULL,
    at timestamptz NOT NULL,
    value numeric,
    withdrawn boolean NOT NULL
);
CREATE INDEX laboratory_patient ON laboratory (patient_id, analyte, at);

-- What only people know of a stay (a procedure was coded, the discharging service): as said last.
CREATE TABLE risk_input (
    transition_id uuid NOT NULL REFERENCES transition (id),
    name text NOT NULL,
    value jsonb NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (transition_id, name)
);

-- One row a transition, score and distinct set of inputs, newest last: any score can be recomputed and explained.
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

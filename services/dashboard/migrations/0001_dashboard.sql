-- The console's read tables. Everything in them is told by events and may be truncated and told again (rebuild);
-- nothing here is the truth about anything.

-- Numbers what changed, so that a browser that was away knows whether it missed something (Last-Event-ID).
CREATE SEQUENCE live_revision;

-- Names stand in this table alone: a page for people who may not see them never reads it.
CREATE TABLE person (
    patient_id text PRIMARY KEY,
    name text NOT NULL,
    birth_date text,
    sex text,
    language text,
    phone text,
    deceased boolean NOT NULL DEFAULT false,
    told_at timestamptz NOT NULL
) WITH (fillfactor = 90);

-- Where each patient is, from care.encounters. No order holds between topics: a stay may be told after its transition.
CREATE TABLE stay (
    encounter_id uuid PRIMARY KEY,
    version integer NOT NULL,
    patient_id text NOT NULL,
    feed text NOT NULL,
    visit text NOT NULL,
    facility text NOT NULL,
    facility_name text,
    time_zone text NOT NULL,
    encounter_class text NOT NULL,
    status text NOT NULL,
    ward text,
    room text,
    bed text,
    service text,
    admitted_at timestamptz,
    discharged_at timestamptz,
    expected_discharge_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX stay_patient ON stay (patient_id);
-- The census: who is in now, and who came and went since.
CREATE INDEX stay_present ON stay (facility) WHERE discharged_at IS NULL AND status IN ('arrived', 'triaged', 'in-progress', 'onleave');
CREATE INDEX stay_admitted ON stay (admitted_at, facility);
CREATE INDEX stay_discharged ON stay (discharged_at, facility);

CREATE TABLE board_transition (
    id uuid PRIMARY KEY,
    version integer NOT NULL,
    patient_id text NOT NULL,
    encounter_id uuid NOT NULL,
    visit text NOT NULL,
    facility text NOT NULL,
    facility_name text,
    time_zone text NOT NULL,
    encounter_class text NOT NULL,
    status text NOT NULL,
    status_at timestamptz NOT NULL,
    admitted_at timestamptz,
    discharged_at timestamptz,
    disposition text,
    diagnoses jsonb NOT NULL,
    protocols jsonb NOT NULL,
    reason text,
    readmission_days integer,
    historical boolean NOT NULL,
    -- Told by the tasks (store/projected.py, SUM_UP_TASKS): what a card shows without reading them.
    next_due_at timestamptz,
    next_task text,
    next_role text,
    open_tasks integer NOT NULL DEFAULT 0,
    done_tasks integer NOT NULL DEFAULT 0,
    escalation_level integer NOT NULL DEFAULT 0,
    -- Place in a column of the board: what is due first, then who came first.
    rank_at timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX board_transition_rank ON board_transition (status, rank_at, id) WHERE status IN ('open', 'following', 'on-hold');
CREATE INDEX board_transition_ended ON board_transition (status_at DESC, id DESC) WHERE status IN ('closed', 'revoked');
CREATE INDEX board_transition_facility ON board_transition (facility);
CREATE INDEX board_transition_patient ON board_transition (patient_id);
CREATE INDEX board_transition_encounter ON board_transition (encounter_id);

CREATE TABLE board_task (
    id uuid PRIMARY KEY,
    transition_id uuid NOT NULL,
    version integer NOT NULL,
    code text NOT NULL,
    title text NOT NULL,
    owner_role text NOT NULL,
    owner text,
    status text NOT NULL,
    due_at timestamptz,
    due_explained text,
    protocol text NOT NULL,
    escalation_level integer NOT NULL,
    evidence_event_id uuid,
    outcome text,
    reason text,
    told_by uuid NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX board_task_transition ON board_task (transition_id);
CREATE INDEX board_task_due ON board_task (owner_role, coalesce(due_at, 'infinity'), id)
    WHERE status IN ('requested', 'accepted');

CREATE TABLE plan (
    id uuid PRIMARY KEY,
    version integer NOT NULL,
    patient_id text NOT NULL,
    transition_id uuid NOT NULL,
    encounter_id uuid NOT NULL,
    status text NOT NULL,
    template text NOT NULL,
    content jsonb NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX plan_transition ON plan (transition_id);
CREATE INDEX plan_patient ON plan (patient_id);

-- Every event that was heard, without names: what caused what. Dropped after the days that the settings keep.
CREATE TABLE event_log (
    event_id uuid PRIMARY KEY,
    type text NOT NULL,
    topic text NOT NULL,
    source text NOT NULL,
    subject text NOT NULL,
    correlation text NOT NULL,
    causation text NOT NULL,
    version integer NOT NULL,
    sequence bigint NOT NULL,
    flags text[] NOT NULL,
    occurred timestamptz NOT NULL,
    recorded timestamptz NOT NULL,
    seen timestamptz NOT NULL DEFAULT now(),
    summary text NOT NULL
);
CREATE INDEX event_log_causation ON event_log (causation);
CREATE INDEX event_log_correlation ON event_log (correlation, recorded, event_id);
CREATE INDEX event_log_seen ON event_log USING brin (seen);

CREATE TABLE delivery (
    id uuid PRIMARY KEY,
    version integer NOT NULL,
    patient_id text NOT NULL,
    organisation text NOT NULL,
    endpoint_id uuid,
    channel text,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    encounter_id uuid,
    transition_id uuid,
    bases text[] NOT NULL,
    status text NOT NULL,
    attempts integer NOT NULL,
    retracts uuid[] NOT NULL,
    acknowledged_by text,
    reason text,
    at timestamptz NOT NULL,
    told_by uuid NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX delivery_at ON delivery (at DESC, id DESC);
CREATE INDEX delivery_status ON delivery (status, at DESC, id DESC);
CREATE INDEX delivery_organisation ON delivery (organisation, at DESC, id DESC);
CREATE INDEX delivery_encounter ON delivery (encounter_id);
CREATE INDEX delivery_transition ON delivery (transition_id) WHERE transition_id IS NOT NULL;
CREATE INDEX delivery_patient ON delivery (patient_id);
CREATE INDEX delivery_event ON delivery (event_id);

CREATE TABLE feed_minute (
    feed text NOT NULL,
    minute timestamptz NOT NULL,
    facility text,
    total integer NOT NULL,
    counts jsonb NOT NULL,
    last_received_at timestamptz,
    PRIMARY KEY (feed, minute)
);

CREATE TABLE signal (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    scope text NOT NULL,
    since timestamptz NOT NULL,
    value double precision,
    usual double precision,
    text text NOT NULL,
    cleared_at timestamptz,
    told_at timestamptz NOT NULL
);
CREATE INDEX signal_since ON signal (since DESC);

-- Who must be told (roster, endpoints), what there was to tell (notice), and what became of it (delivery, attempt,
-- suppression).

-- Organisations of the roster. `slug` names the Kafka topic, so nothing but [a-z0-9-] is allowed in it.
CREATE TABLE organisation (
    slug text PRIMARY KEY CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?$'),
    name text NOT NULL,
    kafka boolean NOT NULL DEFAULT false,
    active_from date NOT NULL DEFAULT '-infinity',
    active_until date NOT NULL DEFAULT 'infinity'
);

-- Everything by which an event leads to an organisation: a practitioner's NPI, a code under which messages name the
-- organisation, a patient of its panel (authority|value), a facility whose every event it may hear ('*': any).
CREATE TABLE membership (
    kind text NOT NULL CHECK (kind IN ('practitioner', 'code', 'panel', 'subscription')),
    key text NOT NULL,
    organisation text NOT NULL REFERENCES organisation (slug) DEFERRABLE INITIALLY DEFERRED,
    active_from date NOT NULL DEFAULT '-infinity',
    active_until date NOT NULL DEFAULT 'infinity',
    PRIMARY KEY (kind, key, organisation, active_from)
);

-- Which rosters were loaded, when, by whom: the basis of "why was this not sent" long after.
CREATE TABLE roster_load (
    version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest text NOT NULL,
    memberships integer NOT NULL,
    removed integer NOT NULL,
    loaded_by text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now()
);

-- Where an organisation wants to be told. The secret is encrypted (AES-GCM, the id is its associated data).
CREATE TABLE endpoint (
    id uuid PRIMARY KEY,
    organisation text NOT NULL REFERENCES organisation (slug) DEFERRABLE INITIALLY DEFERRED,
    channel text NOT NULL CHECK (channel IN ('webhook', 'kafka')),
    url text CHECK ((url IS NULL) = (channel = 'kafka')),
    event_types text[] NOT NULL DEFAULT '{}',
    body text NOT NULL DEFAULT 'full' CHECK (body IN ('full', 'thin')),
    description text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled', 'deleted')),
    disabled_reason text,
    secret bytea,
    previous_secret bytea,
    previous_until timestamptz,
    concurrency integer NOT NULL DEFAULT 8 CHECK (concurrency BETWEEN 1 AND 64),
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    paused_until timestamptz NOT NULL DEFAULT '-infinity',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX endpoint_organisation ON endpoint (organisation) WHERE status <> 'deleted';
CREATE UNIQUE INDEX endpoint_one_topic ON endpoint (organisation) WHERE channel = 'kafka' AND status <> 'deleted';

-- What an event says to people outside, once per event, however many are told.
CREATE TABLE notice (
    event_id uuid PRIMARY KEY,
    event_type text NOT NULL,
    patient_id text NOT NULL,
    encounter_id uuid,
    transition_id uuid,
    occurred_at timestamptz NOT NULL,
    correlation_id text NOT NULL,
    traceparent text,
    amends uuid,
    encounter jsonb,
    task jsonb,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX notice_encounter ON notice (encounter_id);
CREATE INDEX notice_patient ON notice (patient_id);

-- One notice to one endpoint; `id` is its webhook-id over all attempts. Of one endpoint and patient only the oldest
-- open one is `queued` (or `delivering`); the later ones are `waiting`, so that order holds and claiming stays cheap.
-- `first_attempt`: where the present round of the retry schedule began (a redelivery begins a new one).
-- `reached`: an attempt may have arrived, whatever came back; then a retraction must follow it.
CREATE TABLE delivery (
    id uuid PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY,
    version integer NOT NULL DEFAULT 1,
    event_id uuid NOT NULL REFERENCES notice (event_id),
    endpoint_id uuid REFERENCES endpoint (id),
    organisation text NOT NULL,
    channel text,
    patient_id text NOT NULL,
    encounter_id uuid,
    bases text[] NOT NULL,
    body text NOT NULL,
    retracts uuid[] NOT NULL DEFAULT '{}',
    retracted_by uuid,
    status text NOT NULL CHECK (status IN ('waiting', 'queued', 'delivering', 'delivered', 'acknowledged', 'failed',
                                           'retracted')),
    reason text,
    reached boolean NOT NULL DEFAULT false,
    attempts integer NOT NULL DEFAULT 0,
    first_attempt integer NOT NULL DEFAULT 1,
    due_at timestamptz NOT NULL DEFAULT now(),
    lease uuid,
    leased_by text,
    leased_until timestamptz,
    queued_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    acknowledged_by text,
    acknowledged_at timestamptz,
    UNIQUE NULLS NOT DISTINCT (event_id, endpoint_id)
) WITH (fillfactor = 70);
CREATE INDEX delivery_due ON delivery (endpoint_id, due_at, position) WHERE status = 'queued';
CREATE INDEX delivery_lane ON delivery (endpoint_id, patient_id, position)
    WHERE status IN ('waiting', 'queued', 'delivering');
CREATE INDEX delivery_leased ON delivery (leased_until) WHERE status = 'delivering';
CREATE INDEX delivery_encounter ON delivery (encounter_id);
CREATE INDEX delivery_patient ON delivery (patient_id);
CREATE INDEX delivery_listed ON delivery (organisation, position DESC);

-- What each attempt met. The answer's text is the provider's own, cut at 2 KiB.
CREATE TABLE attempt (
    delivery_id uuid NOT NULL REFERENCES delivery (id),
    number integer NOT NULL,
    outcome text NOT NULL,
    status integer,
    latency_ms integer NOT NULL,
    body bytea,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (delivery_id, number)
);

-- What was not sent, to whom, and why: reasons from the closed list of shared.events.
CREATE TABLE suppression (
    id uuid PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    patient_id text NOT NULL,
    encounter_id uuid,
    organisation text NOT NULL,
    endpoint_id uuid,
    reason text NOT NULL,
    bases text[] NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (event_id, organisation, endpoint_id, reason)
);
CREATE INDEX suppression_listed ON suppression (position DESC);
CREATE INDEX suppression_patient ON suppression (patient_id);

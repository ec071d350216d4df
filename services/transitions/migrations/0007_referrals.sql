-- Closed-loop referrals: what was heard and done about each, where it stands, and until when someone must act.

-- One row a referral. `body` is its terms as they stand; `state` follows from the deeds and is kept to be searched by.
CREATE TABLE referral (
    id uuid PRIMARY KEY,
    patient_id text NOT NULL,
    facility text NOT NULL,
    authority text,
    number text,
    service_group text NOT NULL,
    priority text NOT NULL CHECK (priority IN ('routine', 'urgent', 'stat')),
    state text NOT NULL,
    is_open boolean NOT NULL,
    is_held boolean NOT NULL,
    performer text,
    requester text,
    waiting_for text,
    due_at timestamptz,
    fired smallint NOT NULL,
    version integer NOT NULL,
    requested_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    body jsonb NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX referral_patient ON referral (patient_id);
CREATE INDEX referral_listed ON referral (changed_at, id);
CREATE INDEX referral_held ON referral (changed_at, id) WHERE is_held AND is_open;

-- Everything that was heard of a referral or done to it; its state is a fold over these in the order of their times.
CREATE TABLE referral_deed (
    referral_id uuid NOT NULL REFERENCES referral (id),
    event_id uuid NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    recorded timestamptz NOT NULL DEFAULT clock_timestamp(),
    source text NOT NULL,
    actor text,
    historical boolean NOT NULL,
    said jsonb NOT NULL,
    PRIMARY KEY (referral_id, event_id)
);

-- Its clock: one row a level, told once. `step` is the deed that began what is waited for.
CREATE TABLE referral_timer (
    referral_id uuid NOT NULL REFERENCES referral (id),
    step uuid NOT NULL,
    level smallint NOT NULL,
    patient_id text NOT NULL,
    due_at timestamptz NOT NULL,
    fired_at timestamptz,
    PRIMARY KEY (referral_id, step, level)
) WITH (fillfactor = 80);
CREATE INDEX referral_timer_due ON referral_timer (due_at) WHERE fired_at IS NULL;

-- Appointments, documents and results that name an order nobody has heard of yet: they wait for their referral.
CREATE TABLE referral_unmatched (
    event_id uuid PRIMARY KEY,
    patient_id text NOT NULL,
    at timestamptz NOT NULL,
    type text NOT NULL,
    historical boolean NOT NULL,
    body jsonb NOT NULL
);
CREATE INDEX referral_unmatched_patient ON referral_unmatched (patient_id, at);

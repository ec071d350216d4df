-- Live signals. Everything that faust counts is kept here as it counts, so that its tables in memory can be filled
-- again after a kill; every row is set, never added to, so that an event heard twice changes nothing.

-- What stands out now or did: one open row per kind and scope.
CREATE TABLE signal (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    scope text NOT NULL,
    since timestamptz NOT NULL,
    raised_at timestamptz NOT NULL,
    cleared_at timestamptz,
    value double precision,
    usual double precision,
    text text NOT NULL
);
CREATE UNIQUE INDEX signal_open ON signal (kind, scope) WHERE cleared_at IS NULL;
CREATE INDEX signal_raised ON signal (raised_at DESC);

-- The latest value of each measure, for whoever looks: census, discharges, ratios.
CREATE TABLE signal_gauge (
    kind text NOT NULL,
    scope text NOT NULL,
    value double precision NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (kind, scope)
) WITH (fillfactor = 50);

-- Counts by window: kind 'feed-minute' and 'feed-hour' (messages), 'arrivals' and 'discharges' (by hour).
-- Hours are kept for what is usual at that hour of the day.
CREATE TABLE signal_window (
    kind text NOT NULL,
    scope text NOT NULL,
    starts timestamptz NOT NULL,
    value integer NOT NULL,
    PRIMARY KEY (kind, scope, starts)
) WITH (fillfactor = 80);

-- How far each feed was counted, and the last minute in which anything came.
CREATE TABLE signal_feed (
    feed text PRIMARY KEY,
    facility text,
    counted_until timestamptz NOT NULL,
    last_heard timestamptz
) WITH (fillfactor = 50);

-- Who is where, as the encounters say it: for census and for returns soon after a discharge.
CREATE TABLE signal_stay (
    encounter_id uuid PRIMARY KEY,
    version integer NOT NULL,
    patient_id text NOT NULL,
    facility text NOT NULL,
    unit text NOT NULL,
    present boolean NOT NULL,
    counts boolean NOT NULL,
    arrived_at timestamptz,
    discharged_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX signal_stay_present ON signal_stay (facility, unit) WHERE present;
CREATE INDEX signal_stay_patient ON signal_stay (patient_id);
CREATE INDEX signal_stay_arrived ON signal_stay (facility, arrived_at) WHERE counts;
CREATE INDEX signal_stay_discharged ON signal_stay (facility, discharged_at) WHERE counts;

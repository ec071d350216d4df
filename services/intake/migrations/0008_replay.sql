-- A replay: which messages were chosen, how far it has come, what it found. A dry run changes nothing else.
CREATE TABLE replay (
    id uuid PRIMARY KEY,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    asked_by text NOT NULL,
    filters jsonb NOT NULL,
    is_dry boolean NOT NULL,
    carries_out uuid REFERENCES replay (id), -- the dry run whose messages these are
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'cancelled')),
    total integer NOT NULL DEFAULT 0,
    place bigint NOT NULL DEFAULT 0,         -- the messages up to here have been read
    finished_at timestamptz
);
CREATE INDEX replay_running ON replay (asked_at) WHERE state = 'running';

-- The chosen messages in the order of reading: all of one patient next to each other, each patient's as they arrived.
CREATE TABLE replay_message (
    replay_id uuid NOT NULL REFERENCES replay (id) ON DELETE CASCADE,
    place bigint NOT NULL,
    last_place bigint NOT NULL,              -- of this patient's messages
    message_id uuid NOT NULL,
    found text CHECK (found IN ('unchanged', 'changed', 'left', 'failed')),
    difference jsonb,                        -- names of fields and of events, and codes: nothing that names a person
    PRIMARY KEY (replay_id, place)
);
CREATE INDEX replay_message_found ON replay_message (replay_id, place) WHERE found IN ('changed', 'left', 'failed');

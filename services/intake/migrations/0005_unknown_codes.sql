-- What feeds send and no map knows, by feed and field: what an analyst puts into the feeds file next.
CREATE TABLE unknown_code (
    feed text NOT NULL,
    field text NOT NULL,
    code text NOT NULL,
    count bigint NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    last_seen timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (feed, field, code)
);

-- An answer to one Idempotency-Key: the same key with the same body gets it again, with another body a refusal.
-- The row is there before the event takes effect, the answer once it has: see json_events.
CREATE TABLE idempotency_key (
    feed text NOT NULL,
    key text NOT NULL,
    sha256 bytea NOT NULL,
    status integer,
    answer jsonb,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (feed, key)
);
CREATE INDEX idempotency_key_made_at ON idempotency_key (made_at);

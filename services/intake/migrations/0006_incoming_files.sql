-- Files of messages, kept (encrypted) until all their messages are in the message log. A worker takes one by a lease, so
-- a file whose process died goes on where it was; what was offered twice is a duplicate and has no second effect.
CREATE TABLE incoming_file (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    source text NOT NULL CHECK (source IN ('upload', 'folder')),
    feed text,                            -- for JSON, which names no sender
    received_at timestamptz NOT NULL DEFAULT now(),
    size integer NOT NULL,
    sealed bytea,                         -- AES-256-GCM as a message's bytes; gone once the file is done
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done')),
    messages integer,                     -- how many there are, once it was split
    announced integer,                    -- how many the batch trailers say there are
    done integer NOT NULL DEFAULT 0,
    outcomes jsonb NOT NULL DEFAULT '{}', -- {"accepted": 3}
    problems jsonb NOT NULL DEFAULT '[]', -- the first messages without effect: [{"number": 7, "reason": …}]
    lease_until timestamptz,
    finished_at timestamptz
);
CREATE INDEX incoming_file_waiting ON incoming_file (id) WHERE state = 'waiting';
ALTER TABLE incoming_file ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- Large files are kept in parts as they arrive: no process holds a whole one. A file counts as kept, and is read, once
-- its last part is there; what never became whole is forgotten after a day.
ALTER TABLE incoming_file DROP CONSTRAINT incoming_file_state_check;
ALTER TABLE incoming_file ADD CONSTRAINT incoming_file_state_check CHECK (state IN ('arriving', 'waiting', 'done'));
ALTER TABLE incoming_file ALTER COLUMN size TYPE bigint;
CREATE TABLE incoming_file_part (
    file_id uuid NOT NULL REFERENCES incoming_file (id) ON DELETE CASCADE,
    number integer NOT NULL,
    sealed bytea NOT NULL, -- AES-256-GCM as a message's bytes, bound to file and number
    PRIMARY KEY (file_id, number)
);
ALTER TABLE incoming_file_part ALTER COLUMN sealed SET STORAGE EXTERNAL;

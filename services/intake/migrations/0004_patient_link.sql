-- Pairs of patients that their source says are linked, or no longer (A24, A37): the latest word counts, in the order of
-- the messages. No number is retired by a link.
CREATE TABLE patient_link (
    patient_id text NOT NULL,
    other_id text NOT NULL,
    linked boolean NOT NULL,
    said text[] NOT NULL,   -- the order of the message that said it
    PRIMARY KEY (patient_id, other_id),
    CHECK (patient_id < other_id)
);
CREATE INDEX patient_link_other ON patient_link (other_id);

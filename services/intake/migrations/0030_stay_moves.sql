-- Moves that were said (A41, A43, A44, A45, A49): a stay of which is told only later, or that comes to the patient by an
-- earlier move told later, follows them. source and target are records; for a change of account they are the same.
CREATE TABLE stay_move (
    message_id uuid PRIMARY KEY,
    source text NOT NULL,
    target text NOT NULL,
    account jsonb,              -- only stays of this account
    authority text,             -- only this visit
    type text,
    value text,
    said jsonb NOT NULL,        -- the order of the message, as in encounter_fact
    told_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX stay_move_told ON stay_move (told_at);
CREATE INDEX stay_move_source ON stay_move (source);

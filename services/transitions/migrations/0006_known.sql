-- What was known when. Every state that a transition or a task was ever stored in is kept with the time at which it
-- became known here, so that one can ask what was known at nine o'clock. Kept by the tables themselves: no path that
-- writes them can forget it.
CREATE TABLE transition_known (
    transition_id uuid NOT NULL,
    known_at timestamptz NOT NULL,
    why text NOT NULL,
    body jsonb NOT NULL
);
CREATE INDEX transition_known_at ON transition_known (transition_id, known_at);
CREATE TABLE task_known (
    task_id uuid NOT NULL,
    transition_id uuid NOT NULL,
    known_at timestamptz NOT NULL,
    body jsonb NOT NULL
);
CREATE INDEX task_known_at ON task_known (transition_id, task_id, known_at);
ALTER TABLE evidence ADD COLUMN known_at timestamptz NOT NULL DEFAULT clock_timestamp();

INSERT INTO transition_known (transition_id, known_at, why, body) SELECT id, changed_at, why, body FROM transition;
INSERT INTO task_known (task_id, transition_id, known_at, body)
SELECT k.id, k.transition_id, t.changed_at, k.body FROM task k JOIN transition t ON t.id = k.transition_id;

CREATE FUNCTION keep_known_transitions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO transition_known (transition_id, known_at, why, body)
        SELECT id, clock_timestamp(), why, body FROM fresh;
    ELSE
        INSERT INTO transition_known (transition_id, known_at, why, body)
        SELECT fresh.id, clock_timestamp(), fresh.why, fresh.body FROM fresh JOIN stale USING (id)
        WHERE fresh.body IS DISTINCT FROM stale.body OR fresh.why <> stale.why;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER transition_inserted AFTER INSERT ON transition REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION keep_known_transitions();
CREATE TRIGGER transition_updated AFTER UPDATE ON transition REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION keep_known_transitions();

CREATE FUNCTION keep_known_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO task_known (task_id, transition_id, known_at, body)
        SELECT id, transition_id, clock_timestamp(), body FROM fresh;
    ELSE
        INSERT INTO task_known (task_id, transition_id, known_at, body)
        SELECT fresh.id, fresh.transition_id, clock_timestamp(), fresh.body FROM fresh JOIN stale USING (id)
        WHERE fresh.body IS DISTINCT FROM stale.body;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER task_inserted AFTER INSERT ON task REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION keep_known_tasks();
CREATE TRIGGER task_updated AFTER UPDATE ON task REFERENCING OLD TABLE AS stale NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION keep_known_tasks();

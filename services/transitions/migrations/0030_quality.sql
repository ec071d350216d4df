-- Measures of quality: what each says of each stay, referral, task and level of a ladder. Counted anew patient by patient
-- when something of theirs changes, so that a page of figures never has to read the whole history.

-- One row an outcome. `about` is the transition, referral or task (of a level: named by task and level); `exclusion` says
-- why it is left out; before `closes_at` it is pending.
CREATE TABLE quality_outcome (
    measure text NOT NULL,
    about uuid NOT NULL,
    version text NOT NULL,
    patient_id text NOT NULL,
    transition_id uuid,
    facility text NOT NULL,
    organisation text,
    protocols text[] NOT NULL,
    counted_at timestamptz NOT NULL,
    counted_on date NOT NULL,
    closes_at timestamptz NOT NULL,
    exclusion text,
    met boolean NOT NULL,
    met_at timestamptz,
    event_id uuid,
    value double precision,
    why text NOT NULL,
    PRIMARY KEY (measure, about)
) WITH (fillfactor = 80);
CREATE INDEX quality_outcome_patient ON quality_outcome (patient_id);
CREATE INDEX quality_outcome_counted ON quality_outcome (counted_on);
CREATE INDEX quality_outcome_listed ON quality_outcome (measure, counted_at, about);

-- By which measures everybody was counted last; other ones mean counting everybody anew.
CREATE TABLE quality_edition (
    edition text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Patients of whom something changed since they were counted. Rows are only added, never changed: nobody who hears
-- events waits for whoever counts. Written by the tables themselves: no path that writes them can forget it.
CREATE TABLE quality_uncounted (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id text NOT NULL
);
CREATE INDEX quality_uncounted_patient ON quality_uncounted (patient_id);

CREATE FUNCTION note_uncounted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quality_uncounted (patient_id) SELECT DISTINCT patient_id FROM fresh;
    RETURN NULL;
END $$;
-- A merge gives rows to another patient: then both are counted anew.
CREATE FUNCTION note_uncounted_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quality_uncounted (patient_id) SELECT patient_id FROM fresh UNION SELECT patient_id FROM stale;
    RETURN NULL;
END $$;
-- That a stay moved on, unseen from here, changes nothing that is counted.
CREATE FUNCTION note_uncounted_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quality_uncounted (patient_id)
    SELECT unnest(ARRAY[fresh.patient_id, stale.patient_id]) FROM fresh JOIN stale USING (id)
    WHERE (fresh.body, fresh.standing, fresh.readmission_indicator, fresh.patient_id)
        IS DISTINCT FROM (stale.body, stale.standing, stale.readmission_indicator, stale.patient_id)
    GROUP BY 1;
    RETURN NULL;
END $$;
CREATE TRIGGER transition_uncounted AFTER INSERT ON transition REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION note_uncounted();
CREATE TRIGGER transition_uncounted_change AFTER UPDATE ON transition
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION note_uncounted_transition();
CREATE TRIGGER task_uncounted AFTER INSERT ON task REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION note_uncounted();
CREATE TRIGGER task_uncounted_change AFTER UPDATE ON task
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION note_uncounted_change();
CREATE TRIGGER evidence_uncounted AFTER INSERT ON evidence REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION note_uncounted();
CREATE TRIGGER evidence_uncounted_change AFTER UPDATE ON evidence
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION note_uncounted_change();
CREATE TRIGGER referral_uncounted AFTER INSERT ON referral REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION note_uncounted();
CREATE TRIGGER referral_uncounted_change AFTER UPDATE ON referral
    REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION note_uncounted_change();

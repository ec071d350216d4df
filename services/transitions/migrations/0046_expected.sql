-- Expected rates of readmission: what share of stays like this one comes back, so that what was observed can be compared.

-- `expected_most` is the rate if all that the stay's score lacks counted; `expected_by` names the table and its version.
ALTER TABLE quality_outcome
    ADD COLUMN expected double precision,
    ADD COLUMN expected_most double precision,
    ADD COLUMN expected_by text;
-- A page sums them up from an index that holds nothing else: few measures have any.
CREATE INDEX quality_outcome_expected ON quality_outcome (counted_on)
    INCLUDE (measure, met, closes_at, facility, organisation, protocols, expected, expected_most)
    WHERE expected IS NOT NULL AND exclusion IS NULL;

-- A stay whose scores changed is counted anew too: a laboratory value may come after its discharge.
CREATE OR REPLACE FUNCTION note_uncounted_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO quality_uncounted (patient_id)
    SELECT unnest(ARRAY[fresh.patient_id, stale.patient_id]) FROM fresh JOIN stale USING (id)
    WHERE (fresh.body, fresh.standing, fresh.readmission_indicator, fresh.patient_id, fresh.risk)
        IS DISTINCT FROM (stale.body, stale.standing, stale.readmission_indicator, stale.patient_id, stale.risk)
    GROUP BY 1;
    RETURN NULL;
END $$;

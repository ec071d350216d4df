-- Who did or read what. Rows are only ever added; each carries the hash of the one before it, so that a change, a gap
-- or a reordering shows (shared.http.audit.verify_audit). Ids only: no name or identifier of a person belongs here.
CREATE TABLE audit (
    seq bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    roles text[] NOT NULL,
    action text NOT NULL,
    subjects text[] NOT NULL,
    outcome text NOT NULL,
    request_id text NOT NULL,
    prev_hash bytea NOT NULL,
    hash bytea NOT NULL
);
CREATE INDEX audit_subjects ON audit USING gin (subjects);

-- The chain is made here and nowhere else, so no writer can leave it out. seq is counted under the lock, not by a
-- sequence: an identity would be drawn before the lock and then stand out of the chain's order, and it would have gaps.
CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(TG_TABLE_SCHEMA || '.audit'));
    EXECUTE format('SELECT seq, hash FROM %I.audit ORDER BY seq DESC LIMIT 1', TG_TABLE_SCHEMA) INTO last;
    NEW.seq := coalesce(last.seq, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.prev_hash := coalesce(last.hash, ''::bytea);
    NEW.hash := sha256(NEW.prev_hash || convert_to(jsonb_build_array(
        NEW.seq, to_char(NEW.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
        NEW.actor, NEW.roles, NEW.action, NEW.subjects, NEW.outcome, NEW.request_id)::text, 'UTF8'));
    RETURN NEW;
END $$;
CREATE TRIGGER audit_chain BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_chain();

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is only added to' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_refuse BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_refuse_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

-- Careplan's own tables; the machinery's (outbox, stream, watermark ...) come from shared/postgres/migrations.

-- One row a transition: what careplan has heard of it (body) and the version of the plan last told, which is derived
-- from the body and never edited. A row without plan_id is a stay that goes on, or one for which nothing is planned.
CREATE TABLE course (
    transition_id uuid PRIMARY KEY,
    patient_id text NOT NULL,
    encounter_id uuid NOT NULL,
    facility text NOT NULL,
    live boolean NOT NULL,
    plan_id uuid UNIQUE,
    plan_status text,
    plan_version integer NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT now(),
    body jsonb NOT NULL,
    CHECK ((plan_id IS NULL) = (plan_status IS NULL))
) WITH (fillfactor = 70);
-- Every event of a patient asks for the courses that may still change.
CREATE INDEX course_live ON course (patient_id) WHERE live;
CREATE INDEX course_patient ON course (patient_id);
-- Lists of plans, newest change first, page by page.
CREATE INDEX course_changed ON course (changed_at DESC, plan_id DESC) WHERE plan_id IS NOT NULL;

-- Every version of every plan with its reason and actor; rows are only ever added.
CREATE TABLE plan_version (
    plan_id uuid NOT NULL,
    version integer NOT NULL,
    patient_id text NOT NULL,
    status text NOT NULL,
    reason text NOT NULL,
    actor text NOT NULL,
    event_id uuid NOT NULL,
    said_at timestamptz NOT NULL DEFAULT now(),
    body jsonb NOT NULL,
    PRIMARY KEY (plan_id, version)
);
CREATE INDEX plan_version_patient ON plan_version (patient_id);

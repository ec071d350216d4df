-- Worklists at a million running tasks. What is due today depends on the facility's zone: with the zone beside the due
-- time each zone's today is one range of an index, where a walk over three days with each row's stay was needed.
ALTER TABLE task ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC';
UPDATE task k SET time_zone = t.body #>> '{facility,time_zone}' FROM transition t
WHERE t.id = k.transition_id AND k.status IN ('requested', 'accepted', 'on-hold') AND t.body #>> '{facility,time_zone}' IS NOT NULL;
CREATE INDEX task_of_zone ON task (time_zone, due_at, priority, id) WHERE status IN ('requested', 'accepted');

-- A house that keeps up has few tasks that nobody took or that escalated: without these, all of its tasks are walked to
-- find none.
CREATE INDEX task_unassigned ON task (due_at, priority, id)
    WHERE status IN ('requested', 'accepted') AND owner IS NULL;
CREATE INDEX task_unassigned_of_organisation ON task (organisation, due_at, priority, id)
    WHERE status IN ('requested', 'accepted') AND owner IS NULL;
CREATE INDEX task_unassigned_of_facility ON task (facility, due_at, priority, id)
    WHERE status IN ('requested', 'accepted') AND owner IS NULL;
CREATE INDEX task_escalated_of_organisation ON task (organisation, due_at, priority, id)
    WHERE status IN ('requested', 'accepted') AND level > 0;
CREATE INDEX task_escalated_of_facility ON task (facility, due_at, priority, id)
    WHERE status IN ('requested', 'accepted') AND level > 0;

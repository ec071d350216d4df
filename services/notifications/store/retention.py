"""Which rows of notifications have ended, for retention: attempts hang on deliveries, and these on notices."""

from collections.abc import Mapping

OPEN = "('waiting', 'queued', 'delivering')"
ENDED: Mapping[str, str] = {
    "attempt": f"""r.at < $1 AND EXISTS (
        SELECT FROM delivery d WHERE d.id = r.delivery_id AND d.status NOT IN {OPEN}
          AND coalesce(d.closed_at, d.queued_at) < $1)""",
    # A retraction goes to whoever was told of the stay.
    "delivery": f"""r.queued_at < $1 AND coalesce(r.closed_at, r.queued_at) < $1 AND r.status NOT IN {OPEN}
        AND NOT EXISTS (SELECT FROM attempt a WHERE a.delivery_id = r.id)
        AND NOT EXISTS (
            SELECT FROM delivery o WHERE o.encounter_id = r.encounter_id
              AND (o.status IN {OPEN} OR coalesce(o.closed_at, o.queued_at) >= $1))""",
    "notice": """r.recorded_at < $1
        AND NOT EXISTS (SELECT FROM delivery d WHERE d.event_id = r.event_id)
        AND NOT EXISTS (SELECT FROM notice o WHERE o.encounter_id = r.encounter_id AND o.recorded_at >= $1)""",
    "suppression": "r.at < $1",
    "roster_load": """r.loaded_at < $1 AND r.loaded_by <> 'file'
        AND r.version < (SELECT max(version) FROM roster_load)""",
}

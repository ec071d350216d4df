"""Which rows of careplan have ended, for retention."""

from collections.abc import Mapping

ENDED: Mapping[str, str] = {
    "plan_version": """r.said_at < $1
        AND NOT EXISTS (
            SELECT FROM course c WHERE c.plan_id = r.plan_id
              AND (c.plan_status IN ('draft', 'active', 'on-hold') OR c.changed_at >= $1))
        AND EXISTS (SELECT FROM plan_version n WHERE n.plan_id = r.plan_id AND n.version > r.version)""",
}

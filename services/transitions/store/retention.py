"""Which rows of transitions have ended, for retention: nothing that an open transition may still need."""

from collections.abc import Mapping

RUNS = "t.status IN ('open', 'following', 'on-hold')"
NOT_RUNNING = f"NOT EXISTS (SELECT FROM transition t WHERE t.patient_id = r.patient_id AND {RUNS})"
HAS_ENDED = f"NOT EXISTS (SELECT FROM transition t WHERE t.id = r.transition_id AND ({RUNS} OR t.changed_at >= $1))"
ENDED: Mapping[str, str] = {
    "request_done": "r.at < $1",
    "evidence": f"r.at < $1 AND r.known_at < $1 AND {NOT_RUNNING}",
    "history": f"r.recorded < $1 AND {HAS_ENDED}",
    "task_known": f"""r.known_at < $1 AND {HAS_ENDED} AND EXISTS (
        SELECT FROM task_known n
        WHERE n.transition_id = r.transition_id AND n.task_id = r.task_id AND n.known_at > r.known_at)""",
    "transition_known": f"""r.known_at < $1 AND {HAS_ENDED} AND EXISTS (
        SELECT FROM transition_known n WHERE n.transition_id = r.transition_id AND n.known_at > r.known_at)""",
    "reading": """r.at < $1 AND r.known_at < $1
        AND NOT EXISTS (SELECT FROM monitoring m WHERE m.patient_id = r.patient_id AND m.ended_at IS NULL)
        AND NOT EXISTS (
            SELECT FROM alert a WHERE a.patient_id = r.patient_id AND a.reading_id = r.id
              AND a.acknowledged_at IS NULL AND a.withdrawn_at IS NULL)""",
    # Nothing is looked for further back than a stay may last.
    "laboratory": f"r.at < $1 AND r.known_at < $1 AND {NOT_RUNNING}",
    "risk_score": f"r.at < $1 AND {HAS_ENDED}",
    "signal": "r.cleared_at < $1",
    # An event's id says when it was heard of; the deed itself may be older.
    "referral_unmatched": "r.at < $1 AND coalesce(uuid_extract_timestamp(r.event_id), r.at) < $1",
}

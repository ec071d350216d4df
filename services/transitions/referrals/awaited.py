"""SQL of what referrals wait for, as worklists show it beside tasks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from services.transitions.store.conditions import Conditions
from services.transitions.store.tasklists import TasksWanted, View

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

AWAITED = """
SELECT t.id, t.due_at, t.rank, t.patient_id, t.facility, t.state, t.priority, t.waiting_for, t.owner_role, t.performer,
       t.requester, t.is_held, t.version, greatest(t.fired - 1, 0) AS escalation_level, t.fired > 0 AS is_overdue,
       t.body::text AS body
FROM referral t WHERE {where} ORDER BY t.due_at, t.rank, t.id LIMIT {limit}
"""
# A local day of any zone lies within two days of now: the range is walked, the day itself compared row by row.
DUE_TODAY = """t.due_at > now() - interval '2 days' AND t.due_at < now() + interval '2 days'
  AND (t.due_at AT TIME ZONE (t.body #>> '{facility,time_zone}'))::date
    = (now() AT TIME ZONE (t.body #>> '{facility,time_zone}'))::date"""
VIEWS: Mapping[View, str] = {
    View.OVERDUE: "t.due_at < now()",
    View.DUE_TODAY: DUE_TODAY,
    View.ESCALATED: "t.fired > 1",
    View.UNASSIGNED: "true",
    View.MY_ROLE: "true",
    View.MY_ORGANISATION: "true",
}
"""Views that referrals stand in; in a loop it is an organisation's turn, not a person's."""


def fits(wanted: TasksWanted) -> bool:
    """Whether referrals can be in such a list: nobody claims one, and its states are no task's."""
    is_view = wanted.view is None or wanted.view in VIEWS
    return is_view and wanted.status is None and wanted.owner is None


def statement(wanted: TasksWanted) -> tuple[str, list[Any]]:
    """The statement and its parameters; only what is asked for stands in it."""
    where = Conditions("t.waiting_for IS NOT NULL")
    if wanted.view is not None:
        where.add(VIEWS[wanted.view])
    where.of_roles(wanted.roles, "t.owner_role")
    where.when("{} IN (t.performer, t.requester)", wanted.organisation)
    where.when("{} IN (t.performer, t.requester)", wanted.bound_to)
    if wanted.escalated is not None:
        where.add("t.fired > 1" if wanted.escalated else "t.fired <= 1")
    where.when("t.facility = ANY ({}::text[])", list(wanted.facilities) or None)
    where.within(wanted, "t", "rank")
    limit = where.put(wanted.limit)
    return AWAITED.format(where=where.in_words(), limit=limit), where.given


async def awaited(connection: "Connection", wanted: TasksWanted) -> list[dict[str, Any]]:
    """What referrals wait for, the soonest due first."""
    if not fits(wanted):
        return []
    sql, given = statement(wanted)
    return [_shown(row) for row in await connection.fetch(sql, *given)]


def _shown(row: Any) -> dict[str, Any]:
    found = dict(row)
    terms = orjson.loads(found.pop("body"))
    kept = ("service", "patient", "encounter_id", "scheduled_at", "duplicate_of", "replaces")
    zone = (terms.get("facility") or {}).get("time_zone")
    return found | {"time_zone": zone} | {name: terms[name] for name in kept if name in terms}

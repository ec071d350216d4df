"""Lines of a worklist as the transitions service answers them, tasks and what referrals wait for, made into what a page
shows. Pure.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from services.dashboard.cards import task_line
from services.dashboard.clocks import Clock, clock_of, local
from services.dashboard.risk import Chip, chip_of

VIEWS = (
    ("my-role", "My role", "what care managers owe"),
    ("mine", "Claimed by me", "what you have taken on"),
    ("my-organisation", "My organisation", "patients whose primary care is yours"),
    ("overdue", "Overdue", "their due time has passed"),
    ("due-today", "Due today", "by each facility's own date"),
    ("escalated", "Escalated", "somebody further up was told"),
    ("high-risk", "High risk", "patients whose score says to look at them first"),
    ("unassigned", "Unassigned", "nobody has claimed them"),
    ("all", "All open", "every task whose clock runs"),
)
VIEW = {key: (title, explained) for key, title, explained in VIEWS}
OWN_ROLE = "my-role"
WAITS = {
    "decision": "an answer to the request",
    "appointment": "an appointment",
    "visit-outcome": "word of the visit",
    "rebooking": "another appointment",
    "result": "the result",
    "acknowledgement": "the requester's acknowledgement",
    "new-way": "another performer",
    "cancel-answer": "an answer to the wish to cancel",
    "hold-review": "somebody to look why it rests",
    "duplicate-decision": "a decision on the suspected duplicate",
    "strike-review": "a decision after appointments that were not kept",
}
"""Of a referral's clock, whose turn it is and for what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkLine:
    """One line of a list: a task, or what a referral waits for. `mark` is what ticking it sends, which task and seen at
    which version; empty where nothing can be ticked.
    """

    key: str
    href: str
    mark: str
    title: str
    about: str
    clock: Clock
    due: str
    escalation: int
    rests: str | None
    owner: str | None
    role: str
    patient_id: str
    facility: str
    flags: tuple[str, ...] = ()
    risk: Chip | None = None
    risk_href: str = ""


def views_for(care_roles: Collection[str]) -> tuple[tuple[str, str, str], ...]:
    """The views as they are explained to somebody whose token names these owner roles."""
    if not care_roles:
        return VIEWS
    owed = f"what is for the role{'s' if len(care_roles) > 1 else ''} {', '.join(sorted(care_roles))}"
    return tuple((key, title, owed if key == OWN_ROLE else explained) for key, title, explained in VIEWS)


def work_line(item: Mapping[str, Any], now: datetime, scores: Mapping[UUID, Any] = MappingProxyType({})) -> WorkLine:
    """`scores`: those told of each transition, for the version of the one that steers."""
    if item.get("referral"):
        return _awaited(item["referral"], now)
    task, transition = item["task"], item["transition"]
    facility, page = transition["facility"], f"/transitions/{transition['id']}"
    row = {
        **task,
        "due_at": instant(task.get("due_at")),
        "rests_until": instant(task.get("rests_until")),
        "protocol": f"{task['protocol']['name']}@{task['protocol']['version']}",
        "reason": None,
        "told_by": "",
    }
    line = task_line(row, facility["time_zone"], now, free_text=True)
    return WorkLine(
        key=line.id,
        href=f"{page}#task-{line.id}",
        mark=f"{line.id}:{line.version}",
        title=line.title,
        about="",
        clock=line.clock,
        due=line.due,
        escalation=line.escalation,
        rests=line.rests,
        owner=line.owner,
        role=line.role,
        patient_id=transition["patient"]["id"],
        facility=facility.get("name") or facility["code"],
        risk=chip_of(transition.get("risk"), scores.get(UUID(transition["id"]))),
        risk_href=f"{page}/risk",
    )


def _awaited(referral: Mapping[str, Any], now: datetime) -> WorkLine:
    due = instant(referral["due_at"])
    flags = ("suspected duplicate",) if referral["is_held"] else ()
    return WorkLine(
        key=str(referral["id"]),
        href=f"/referrals/{referral['id']}",
        mark="",
        title=f"Referral: {referral.get('service') or 'service not named'}",
        about=f"waits for {WAITS.get(referral['waiting_for'], referral['waiting_for'])}",
        clock=clock_of(due, now),
        due=local(due, referral.get("time_zone") or "UTC"),
        escalation=referral["escalation_level"],
        rests=None,
        owner=None,
        role=referral["owner_role"] or referral["performer"] or "nobody named",
        patient_id=referral["patient_id"],
        facility=referral["facility"],
        flags=flags if referral["priority"] == "routine" else (referral["priority"], *flags),
    )


def instant(text: str | None) -> datetime | None:
    """An instant as JSON carries it."""
    return datetime.fromisoformat(text) if text else None

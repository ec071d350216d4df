"""What a draft of a protocol would do: the recorded stays, settled under today's protocols and under the draft, and the
difference. Nothing is written; nothing that runs is touched.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from services.transitions.escalation import LAPSE, timers
from services.transitions.followed import PatientCase
from services.transitions.protocols import Library, Protocol
from services.transitions.store import following, recorded
from services.transitions.task import Obligation, Why
from services.transitions.transition import settle
from shared.events.transitions import Closure, TaskStatus

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

PAGE = 200


@dataclass(slots=True)
class Foreseen:
    """What the protocols would have asked for, by task code, and how it would have ended by now."""

    tasks: Counter[str] = field(default_factory=Counter)
    overdue: Counter[str] = field(default_factory=Counter)
    escalations: Counter[str] = field(default_factory=Counter)
    met: int = 0
    open: int = 0

    def add(self, obligation: Obligation, zone: str, now: datetime) -> None:
        code, task = obligation.task.code, obligation.task
        self.tasks[code] += 1
        self.met += task.closure is Closure.MET
        self.open += obligation.is_live
        told = _told(obligation, zone, now)
        self.overdue[code] += told > 0
        self.escalations[code] += max(0, told - 1)


def _told(obligation: Obligation, zone: str, now: datetime) -> int:
    """How many levels would have been told until the deed was known, or until now."""
    standing = obligation.task.model_copy(update={"status": TaskStatus.REQUESTED})
    ended = obligation.settled_at if not obligation.is_live else None
    until = min(now, ended) if ended else now
    ladder = timers(replace(obligation, task=standing), zone)
    return sum(timer.level != LAPSE and timer.due_at <= until for timer in ladder)


def with_draft(library: Library, draft: Protocol) -> Library:
    """Today's protocols with the draft in place of the one of its name, or beside them."""
    others = [protocol for protocol in library.current if protocol.name != draft.name]
    return library.changed_to([*others, draft])


def foresee(cases: Iterable[PatientCase], library: Library, now: datetime, into: Foreseen) -> Foreseen:
    """Settles each case anew, as if all of it had been heard under the library's current protocols."""
    for case in cases:
        fresh = {key: replace(followed, tasks=(), edition=library.edition) for key, followed in case.followed.items()}
        for followed in settle(replace(case, followed=fresh), library).followed.values():
            zone = followed.transition.facility.time_zone
            for obligation in followed.tasks:
                if obligation.why is not Why.DUE_MOVED:
                    into.add(obligation, zone, now)
    return into


@dataclass(frozen=True, slots=True)
class Comparison:
    stays: int
    now: Foreseen
    then: Foreseen

    def told(self) -> Mapping[str, Any]:
        """For people and programs: how many more (or fewer) of what, by task."""
        codes = sorted({*self.now.tasks, *self.then.tasks})
        lines = {
            code: {
                "tasks": [self.now.tasks[code], self.then.tasks[code]],
                "overdue": [self.now.overdue[code], self.then.overdue[code]],
                "escalations": [self.now.escalations[code], self.then.escalations[code]],
            }
            for code in codes
        }
        return {
            "stays": self.stays,
            "summary": self.summary(),
            "tasks": self.then.tasks.total() - self.now.tasks.total(),
            "overdue": self.then.overdue.total() - self.now.overdue.total(),
            "escalations": self.then.escalations.total() - self.now.escalations.total(),
            "met": self.then.met - self.now.met,
            "by_task": {code: line for code, line in lines.items() if any(a != b for a, b in line.values())},
        }

    def summary(self) -> str:
        tasks = self.then.tasks.total() - self.now.tasks.total()
        escalations = self.then.escalations.total() - self.now.escalations.total()
        created = f"would create {tasks} tasks" if tasks >= 0 else f"would create {-tasks} tasks fewer"
        return f"{created}, {abs(escalations)} {'fewer' if escalations < 0 else 'more'} escalations"


async def simulate(
    connection: "Connection", library: Library, draft: Protocol, *, days: int, now: datetime
) -> Comparison:
    """The draft on every stay whose transition was touched in the last `days`, patient by patient."""
    drafted = with_draft(library, draft)
    today, then, stays = Foreseen(), Foreseen(), 0
    since, after = now - timedelta(days=days), ""
    while patients := await recorded.patients_since(connection, since, after, PAGE):
        cases = await following.load_cases(connection, library, patients, (), since)
        stays += sum(len(case.followed) for case in cases.values())
        foresee(cases.values(), library, now, today)
        foresee(cases.values(), drafted, now, then)
        after = patients[-1]
    return Comparison(stays, today, then)

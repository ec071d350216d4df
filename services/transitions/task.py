"""One obligation and what may become of it. Pure: every verb answers the obligation as it stands then."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID, uuid5

from services.transitions.due import Due
from services.transitions.evidence import Evidence
from services.transitions.protocols import TaskRule
from shared.events.transitions import ProtocolReference, Task, TaskStatus

LIVE = frozenset({TaskStatus.REQUESTED, TaskStatus.ACCEPTED, TaskStatus.ON_HOLD})
ENOUGH_ATTEMPTS = "attempts-documented"


class Why(StrEnum):
    """Why a transition or task stands as it does: a closed list, since people are shown and counted by it."""

    ADMITTED = "admitted"
    DISCHARGED = "discharged"
    DISCHARGE_TAKEN_BACK = "discharge-taken-back"
    DISCHARGED_AGAIN = "discharged-again"
    STAY_CANCELLED = "stay-cancelled"
    STAY_REINSTATED = "stay-reinstated"
    PATIENT_DIED = "patient-died"
    ADMITTED_AGAIN = "admitted-again"
    NOT_ASKED_FOR = "not-asked-for"
    CORRECTED = "corrected"
    PATIENT_MERGED = "patient-merged"
    DUE_MOVED = "due-moved"
    EVIDENCE = "evidence"
    BY_PERSON = "by-person"
    ATTEMPTS_DOCUMENTED = "attempts-documented"
    ALL_DONE = "all-done"
    NOTHING_TO_DO = "nothing-to-do"
    HISTORICAL = "historical"
    REVIEWED = "reviewed"
    RESUMED = "resumed"
    STATE_UNCERTAIN = "state-uncertain"


class SettledBy(StrEnum):
    EVIDENCE = "evidence"
    PERSON = "person"
    RULE = "rule"


class NotAllowedError(ValueError):
    """What was asked cannot be done to the task as it stands. The message is for people and holds no patient data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """A task and what only this service needs of it.

    `number` counts the transition's tasks of this code; `fired` how many levels were told already (overdue is the
    first); `settled_at` is when the deed that settled it was done.
    """

    task: Task
    rule: TaskRule
    number: int = 1
    fired: int = 0
    settled_by: SettledBy | None = None
    settled_at: datetime | None = None
    why: Why | None = None

    @property
    def is_live(self) -> bool:
        return self.task.status in LIVE

    @property
    def runs(self) -> bool:
        """Whether its clock runs: live, and not on hold."""
        return self.task.status in {TaskStatus.REQUESTED, TaskStatus.ACCEPTED}

    @classmethod
    def create(
        cls, transition_id: UUID, number: int, rule: TaskRule, protocol: ProtocolReference, due: Due, owner: str | None
    ) -> Self:
        """A new task. Its id follows from transition, code and number: a replay gives the same."""
        task = Task(
            id=uuid5(transition_id, f"{rule.code}/{number}"),
            version=0,
            code=rule.code,
            title=rule.title,
            owner_role=rule.owner_role,
            owner=owner,
            status=TaskStatus.ACCEPTED if owner else TaskStatus.REQUESTED,
            due_at=due.at,
            due_explained=due.explained,
            protocol=protocol,
        )
        return cls(task=task, rule=rule, number=number)

    def stand(self, rule: TaskRule, protocol: ProtocolReference, due: Due) -> Self:
        """Under this rule, due then; resumed where it was on hold."""
        task, why = self.task, self.why
        held = task.status is TaskStatus.ON_HOLD
        if held or task.due_at != due.at or task.protocol != protocol or task.due_explained != due.explained:
            status = task.status if not held else TaskStatus.ACCEPTED if task.owner else TaskStatus.REQUESTED
            why = Why.RESUMED if held else Why.DUE_MOVED if task.due_at != due.at else Why.CORRECTED
            task = _with(task, status=status, due_at=due.at, due_explained=due.explained, protocol=protocol)
        return replace(self, task=task, rule=rule, why=why)

    def must_begin_anew(self, due: Due) -> bool:
        """Whether it was told overdue and now has more time: a level is told only once, so its ladder can't restart."""
        return self.fired > 0 and self.task.due_at is not None and due.at > self.task.due_at

    def hold(self) -> Self:
        """The discharge was taken back: the clock stops, what was reached stays visible."""
        if self.task.status is TaskStatus.ON_HOLD:
            return self
        return replace(self, task=_with(self.task, status=TaskStatus.ON_HOLD), why=Why.DISCHARGE_TAKEN_BACK)

    def cancel(self, why: Why, by: SettledBy = SettledBy.RULE, outcome: str | None = None) -> Self:
        task = _with(self.task, status=TaskStatus.CANCELLED, outcome=outcome or why.value)
        return replace(self, task=task, settled_by=by, why=why)

    def complete_by(self, evidence: Evidence) -> Self:
        task = _with(self.task, status=TaskStatus.COMPLETED, evidence_event_id=evidence.event_id, outcome=evidence.type)
        return replace(self, task=task, settled_by=SettledBy.EVIDENCE, settled_at=evidence.at, why=Why.EVIDENCE)

    def note_attempts(self) -> Self:
        """Enough failed attempts stand documented; the task stays open, as one goes on trying."""
        if self.task.outcome == ENOUGH_ATTEMPTS:
            return self
        return replace(self, task=_with(self.task, outcome=ENOUGH_ATTEMPTS), why=Why.ATTEMPTS_DOCUMENTED)

    def claim(self, owner: str) -> Self:
        """Raises NotAllowedError unless its clock runs."""
        self._must_run("claimed")
        return replace(self, task=_with(self.task, status=TaskStatus.ACCEPTED, owner=owner), why=Why.BY_PERSON)

    def complete_by_person(self, at: datetime, outcome: str) -> Self:
        """Raises NotAllowedError unless its clock runs."""
        self._must_run("completed")
        task = _with(self.task, status=TaskStatus.COMPLETED, outcome=outcome)
        return replace(self, task=task, settled_by=SettledBy.PERSON, settled_at=at, why=Why.BY_PERSON)

    def cancel_by_person(self, at: datetime, reason: str) -> Self:
        """Raises NotAllowedError when it is done or cancelled already."""
        if not self.is_live:
            raise NotAllowedError(f"a task that is {self.task.status.value} can't be cancelled")
        return replace(self.cancel(Why.BY_PERSON, SettledBy.PERSON, reason), settled_at=at)

    def _must_run(self, verb: str) -> None:
        if not self.runs:
            raise NotAllowedError(f"a task that is {self.task.status.value} can't be {verb}")


def _with(task: Task, **changed: Any) -> Task:
    return task.model_copy(update=changed)

"""One obligation and what may become of it. Pure: every verb answers the obligation as it stands then."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from services.transitions.due import Due
from services.transitions.evidence import Evidence
from services.transitions.protocols import TaskRule
from shared.events import id_beside
from shared.events.transitions import Closure, ProtocolReference, Task, TaskStatus

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
    WINDOW_PASSED = "window-passed"
    EVIDENCE_RETRACTED = "evidence-retracted"
    REASSIGNED = "reassigned"
    SNOOZED = "snoozed"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED_BY_PERSON = "escalated-by-person"
    WAIVED = "waived"
    NOTICE_TAKEN_BACK = "notice-taken-back"


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
            id=id_beside(transition_id, f"{rule.code}/{number}"),
            version=0,
            code=rule.code,
            title=rule.title,
            owner_role=rule.owner_role,
            owner=owner,
            status=TaskStatus.ACCEPTED if owner else TaskStatus.REQUESTED,
            **_terms(protocol, due),
        )
        return cls(task=task, rule=rule, number=number)

    def stand(self, rule: TaskRule, protocol: ProtocolReference, due: Due) -> Self:
        """Under this rule, due then; resumed where it was on hold."""
        task, why = self.task, self.why
        held = task.status is TaskStatus.ON_HOLD
        terms = _terms(protocol, due)
        if held or any(getattr(task, name) != value for name, value in terms.items()):
            status = task.status if not held else TaskStatus.ACCEPTED if task.owner else TaskStatus.REQUESTED
            why = Why.RESUMED if held else Why.DUE_MOVED if task.due_at != due.at else Why.CORRECTED
            task = _with(task, status=status, **terms)
        return replace(self, task=task, rule=rule, why=why)

    @classmethod
    def again(cls, earlier: Self) -> Self:
        """The same once more, by the same time: what showed it done was taken back."""
        asked: dict[str, Any] = {
            "status": TaskStatus.REQUESTED,
            "evidence_event_id": None,
            "outcome": None,
            "closure": None,
        }
        asked |= {"done_at": None, "settled_by": None, "version": 0, "escalation_level": 0, "owner": None}
        number = earlier.number + 1
        transition_task = id_beside(earlier.task.id, f"again/{number}")
        return cls(task=_with(earlier.task, id=transition_task, **asked), rule=earlier.rule, number=number)

    def must_begin_anew(self, due: Due) -> bool:
        """Whether it was told overdue and now has more time: a level is told only once, so its ladder can't restart."""
        return self.fired > 0 and self.task.due_at is not None and due.at > self.task.due_at

    def hold(self) -> Self:
        """The discharge was taken back: the clock stops, what was reached stays visible."""
        if self.task.status is TaskStatus.ON_HOLD:
            return self
        return replace(self, task=_with(self.task, status=TaskStatus.ON_HOLD), why=Why.DISCHARGE_TAKEN_BACK)

    def cancel(self, why: Why, by: SettledBy = SettledBy.RULE, outcome: str | None = None) -> Self:
        """The obligation went away: nobody owes it any more."""
        closed = {"status": TaskStatus.CANCELLED, "closure": Closure.NOT_OWED, "outcome": outcome or why.value}
        return replace(self, task=_with(self.task, **closed), settled_by=by, why=why)

    def complete_by(self, evidence: Evidence) -> Self:
        """Shown done, in time or late by when the deed was done, not by when it became known."""
        done = self._done(evidence.at) | {"evidence_event_id": evidence.event_id, "outcome": evidence.type}
        task = _with(self.task, **done)
        return replace(self, task=task, settled_by=SettledBy.EVIDENCE, settled_at=evidence.at, why=Why.EVIDENCE)

    def complete_again(self, due: Due, evidence: Evidence) -> Self:
        """Done already; the due time it was measured by, or the deed known to be the first, may have changed."""
        again = replace(self, task=_with(self.task, due_at=due.at, due_explained=due.explained)).complete_by(evidence)
        return self if again.task == self.task else again

    def lapse(self, at: datetime) -> Self:
        """The window passed without a deed: it ends as late."""
        ended = {"status": TaskStatus.CANCELLED, "closure": Closure.LATE, "outcome": Why.WINDOW_PASSED.value}
        task = _with(self.task, **ended)
        return replace(self, task=task, settled_by=SettledBy.RULE, settled_at=at, why=Why.WINDOW_PASSED)

    @property
    def has_lapsed(self) -> bool:
        return self.why is Why.WINDOW_PASSED

    def _done(self, at: datetime) -> dict[str, Any]:
        is_late = self.task.due_at is not None and at > self.task.due_at
        closure = Closure.LATE if is_late else Closure.MET
        return {"status": TaskStatus.COMPLETED, "closure": closure, "done_at": at}

    def note_attempts(self) -> Self:
        """Enough failed attempts stand documented; the task stays open, as one goes on trying."""
        if self.task.outcome == ENOUGH_ATTEMPTS:
            return self
        return replace(self, task=_with(self.task, outcome=ENOUGH_ATTEMPTS), why=Why.ATTEMPTS_DOCUMENTED)

    def claim(self, owner: str) -> Self:
        """Raises NotAllowedError unless its clock runs."""
        self._must_run("claimed")
        return replace(self, task=_with(self.task, status=TaskStatus.ACCEPTED, owner=owner), why=Why.BY_PERSON)

    def reassign(self, owner: str | None, role: str | None) -> Self:
        """To another person, role or both; None as owner gives it back to the role. Raises NotAllowedError."""
        self._must_run("reassigned")
        status = TaskStatus.ACCEPTED if owner else TaskStatus.REQUESTED
        moved = _with(self.task, owner=owner, owner_role=role or self.task.owner_role, status=status)
        return replace(self, task=moved, why=Why.REASSIGNED)

    def snooze(self, until: datetime) -> Self:
        """The ladder rests until then; the due time stays, and so does what is told when it passes."""
        self._must_run("snoozed")
        return replace(self, task=_with(self.task, rests_until=until), why=Why.SNOOZED)

    def acknowledge(self, at: datetime, actor: str) -> Self:
        """Someone saw the escalation: the ladder rests for the rule's patience, then goes on without evidence."""
        self._must_run("acknowledged")
        if self.fired == 0 and self.task.escalation_level == 0:
            raise NotAllowedError("nothing was told of this task yet that could be acknowledged")
        seen = _with(self.task, rests_until=at + self.rule.patience, acknowledged_by=actor)
        return replace(self, task=seen, why=Why.ACKNOWLEDGED)

    def escalate(self) -> Self:
        """The next role of the ladder is told before its time. Raises NotAllowedError at the ladder's end."""
        self._must_run("escalated")
        level = max(self.task.escalation_level, self.fired - 1) + 1
        if level > len(self.rule.ladder):
            raise NotAllowedError("every role of the ladder was told already")
        return replace(self, task=_with(self.task, escalation_level=level), why=Why.ESCALATED_BY_PERSON)

    def complete_by_person(self, at: datetime, outcome: str, actor: str) -> Self:
        """Raises NotAllowedError unless its clock runs."""
        self._must_run("completed")
        task = _with(self.task, **self._done(at), outcome=outcome, settled_by=actor)
        return replace(self, task=task, settled_by=SettledBy.PERSON, settled_at=at, why=Why.BY_PERSON)

    def waive(self, at: datetime, reason: str, actor: str) -> Self:
        """Raises NotAllowedError when it is done or cancelled already."""
        if not self.is_live:
            raise NotAllowedError(f"a task that is {self.task.status.value} can't be cancelled")
        ended = {"status": TaskStatus.CANCELLED, "closure": Closure.WAIVED, "outcome": reason, "settled_by": actor}
        task = _with(self.task, **ended)
        return replace(self, task=task, settled_by=SettledBy.PERSON, settled_at=at, why=Why.WAIVED)

    def _must_run(self, verb: str) -> None:
        if not self.runs:
            raise NotAllowedError(f"a task that is {self.task.status.value} can't be {verb}")


def _terms(protocol: ProtocolReference, due: Due) -> dict[str, Any]:
    return {
        "protocol": protocol,
        "due_at": due.at,
        "due_explained": due.explained,
        "tell_from": due.tell_from,
        "owed_until": due.owed_until,
    }


def _with(task: Task, **changed: Any) -> Task:
    return task.model_copy(update=changed)

"""Windows that passed: an obligation that nothing showed done in its time ends as late; its transition may close."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.transitions.announcement import Cause
from services.transitions.cases import Cases
from services.transitions.followed import Followed, PatientCase
from services.transitions.protocols import Library
from services.transitions.task import Obligation
from shared.postgres import Transaction


async def end_lapsed(tx: Transaction, library: Library, tasks: Collection[UUID], patients: Collection[str]) -> None:
    """Ends those of the tasks that still run; the patients are locked."""
    now = await tx.now()
    cases = await Cases.load(tx, library, patients, since=now)
    for patient in patients:
        cases.put(lapsed(cases.of(patient), tasks), Cause(id="timer:window", at=now))
    await cases.save(tx)


def lapsed(case: PatientCase, tasks: Collection[UUID]) -> PatientCase:
    """The case after the windows of these tasks passed."""
    return replace(case, followed={key: _end(followed, tasks) for key, followed in case.followed.items()})


def _end(followed: Followed, tasks: Collection[UUID]) -> Followed:
    if not any(o.task.id in tasks for o in followed.tasks):
        return followed
    return replace(followed, tasks=tuple(_lapse(o) if o.task.id in tasks else o for o in followed.tasks))


def _lapse(obligation: Obligation) -> Obligation:
    until: datetime | None = obligation.task.owed_until
    return obligation.lapse(until) if obligation.runs and until is not None else obligation

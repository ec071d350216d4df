"""Stays that belong to another patient than was said: re-parented, retracted where they were told, told again."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from services.intake import store as intake_store
from services.intake.announcing import Announced
from services.intake.chart import Patient, Stay
from services.intake.describing import describe
from services.intake.identity import move_store
from shared.events import Draft
from shared.events.encounters import EncounterMoved
from shared.postgres import Transaction


async def move_stays(
    tx: Transaction, source: Patient, target: Patient, stays: Sequence[UUID], *, cause: str, after: Draft | None
) -> list[Draft]:
    """Both patients must be locked. Answers what to say: on the target's key, after the source's own draft.

    Each retracts what was announced of its stay under the source: whoever was told of it is told that it is another's.
    """
    now = await tx.now()
    drafts: list[Draft] = []
    moved: list[Stay] = []
    for stay in await intake_store.stays_by_id(tx.connection, stays):
        if stay.patient_id != source.id:
            continue
        stay.version += 1
        stay.patient_id = target.id
        encounter = describe(stay.identity, stay.version, stay.state, target.summary())
        fact = EncounterMoved(
            encounter=encounter,
            from_patient=source.id,
            retracts=tuple(dict.fromkeys(one.event_id for one in reversed(stay.announced))),
            changed=("patient",),
        )
        draft = Draft(
            fact=fact,
            subject=target.id,
            time=now,
            correlation_id=str(stay.identity.id),
            causation_id=cause,
            version=stay.version,
            after=after,
        )
        stay.announced = announced_by(draft.id, stay.announced)
        moved.append(stay)
        drafts.append(draft)
    await move_store.reparent_stays(tx.connection, moved)
    return drafts


def announced_by(event_id: UUID, announced: Sequence[Announced]) -> tuple[Announced, ...]:
    """After a move it is the move that has told all that stands: a later cancel takes that back."""
    return tuple(replace(one, event_id=event_id) for one in announced)

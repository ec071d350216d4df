"""Hears care.transitions.v1: keeps the courses of a batch's patients, tells the versions of plans that follow."""

from collections.abc import Sequence

from services.careplan import store
from services.careplan.catalogue import Catalogue
from services.careplan.merging import merge_patients
from services.careplan.plan import follow
from services.careplan.store import KeptVersion
from shared.events import AnyEvent
from shared.events.transitions import ReadmissionWithdrawn, TaskFact, TransitionFact, TransitionsPatientMerged
from shared.kafka import staged
from shared.postgres import Transaction

SYSTEM = "careplan"


class Following:
    """The handler of care.transitions.v1; what it knows is the catalogue of templates."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def __call__(self, tx: Transaction, events: Sequence[AnyEvent]) -> None:
        for stage in staged(events, TransitionsPatientMerged):
            if stage.merges:
                await merge_patients(tx, stage.merges)
            await follow_transitions(tx, [e for e in stage.others if not e.snapshot], self._catalogue)


async def follow_transitions(tx: Transaction, events: Sequence[AnyEvent], catalogue: Catalogue) -> None:
    facts = [e.fact for e in events if isinstance(e.fact, TransitionFact | TaskFact)]
    if not facts:
        return
    transitions = {fact.transition.id for fact in facts}
    survivors = await tx.lock({e.subject for e in events} | {fact.transition.patient.id for fact in facts})
    # Whom it holds may be another patient's by now.
    transitions |= {fact.earlier_transition_id for fact in facts if isinstance(fact, ReadmissionWithdrawn)}
    courses = await store.courses(tx.connection, transitions, set(survivors.values()))
    # A transition that moved to another patient is still kept under the one it was said of first.
    elsewhere = {c.transition.patient.id for c in courses.values()} - set(survivors.values())
    if elsewhere:
        await tx.lock(elsewhere)
        courses = await store.courses(tx.connection, transitions, set(survivors.values()))
    followed = follow(courses, events, catalogue, survivors)
    await store.save(tx.connection, [followed.courses[key] for key in sorted(followed.changed)])
    kept = [KeptVersion(plan=v.plan, reason=v.reason, actor=SYSTEM, event_id=v.draft.id) for v in followed.versions]
    await store.keep(tx.connection, kept)
    await tx.publish([v.draft for v in followed.versions])

"""Tells every open transition again with its tasks, for readers that rebuild; nothing happened."""

from uuid import UUID

from services.transitions.store import worklists
from shared.events import Draft
from shared.events.transitions import TransitionSnapshot
from shared.postgres import Transaction

PAGE = 500


async def tell_open_transitions(tx: Transaction) -> int:
    """Publishes a snapshot of each transition that is open, followed or on hold; answers how many."""
    now = await tx.now()
    told = 0
    after: UUID | None = None
    while page := await worklists.open_page(tx.connection, after, PAGE):
        await tx.lock({transition.patient.id for transition in page})
        # Read again under the locks: what changed in between was said in between.
        standing = await worklists.with_tasks(tx.connection, [transition.id for transition in page])
        drafts = [
            Draft(
                fact=TransitionSnapshot(transition=transition, tasks=tuple(tasks), reason="told-again"),
                subject=transition.patient.id,
                time=now,
                correlation_id=str(transition.encounter_id),
                causation_id="snapshot",
                version=transition.version,
                snapshot=True,
            )
            for transition, tasks in standing
        ]
        await tx.publish(drafts)
        told += len(drafts)
        after = page[-1].id
    return told

"""Tells every open plan again, for readers that rebuild; nothing happened."""

from uuid import UUID

from services.careplan import store
from shared.events import Draft
from shared.events.plans import PlanSnapshot
from shared.postgres import Transaction

PAGE = 500


async def tell_open_plans(tx: Transaction) -> int:
    """Publishes a snapshot of each plan that is active or on hold; answers how many."""
    now = await tx.now()
    told = 0
    after: UUID | None = None
    while plans := await store.open_plans(tx.connection, after, PAGE):
        survivors = await tx.lock({patient for patient, _ in plans})
        drafts = [
            Draft(
                fact=PlanSnapshot(plan=plan, reason="told again"),
                subject=survivors[patient],
                time=now,
                correlation_id=str(plan.transition_id),
                causation_id="snapshot",
                version=plan.version,
                snapshot=True,
            )
            for patient, plan in plans
        ]
        await tx.publish(drafts)
        told += len(drafts)
        after = plans[-1][1].id
    return told

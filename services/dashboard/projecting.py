"""Takes a batch of events into the read tables: a fixed number of statements, whatever the batch's size."""

from collections import Counter
from collections.abc import Mapping, Sequence

from services.dashboard.rows import Changes, fold
from services.dashboard.store import projected
from shared.events import AnyEvent
from shared.events.encounters import EncounterFact, PatientFact
from shared.events.notifications import NotificationFact
from shared.events.plans import PlanFact
from shared.events.transitions import TaskFact, TransitionFact
from shared.postgres import Transaction

# More stays than this in one batch are announced as "any of them": a notification holds 8,000 bytes.
NAMED_STAYS = 100
ANY_STAY = "stay:*"
# The same for organisations that are told something.
NAMED_ORGANISATIONS = 20
ANY_NOTICE = "notices:*"


async def project(tx: Transaction, events: Sequence[AnyEvent]) -> None:
    """Upserts what the events say and announces which pages it changes. Applying a batch twice changes nothing."""
    survivors = await tx.lock(patients_of(events))
    changes = fold(events, survivors)
    await _write(tx, changes)
    if merges := unknown_merges(changes.merges, survivors):
        await _merge(tx, merges)
    if changes.touched:
        await projected.announce(tx.connection, announced(changes.touched))


def patients_of(events: Sequence[AnyEvent]) -> set[str]:
    """Everyone whose rows the events may touch: a merged patient may be named by an id that was retired since."""
    patients = {event.subject for event in events}
    for event in events:
        patients.update(event.fact.concerns())
        match event.fact:
            case EncounterFact(encounter=stay):
                patients.add(stay.patient.id)
            case TransitionFact(transition=transition) | TaskFact(transition=transition):
                patients.add(transition.patient.id)
            case PlanFact(plan=plan):
                patients.add(plan.patient.id)
            case PatientFact(patient=patient):
                patients.add(patient.id)
            case NotificationFact(delivery=delivery):
                patients.add(delivery.patient_id)
            case _:
                pass
    return patients


def unknown_merges(merges: Mapping[str, str], survivors: Mapping[str, str]) -> Mapping[str, str]:
    """Those that were not recorded before: every service tells a merge on both keys, and one word is enough. Who is
    known to stand for whom has had all rows since, those of this batch too.
    """
    return {
        retired: survivor
        for retired, survivor in merges.items()
        if survivors.get(retired, retired) != survivors.get(survivor, survivor)
    }


def announced(touched: Mapping[str, int]) -> Mapping[str, int]:
    """`touched`, with stays and organisations folded into one entry each when there are too many to name."""
    folded = _fold_together(touched, "stay:", NAMED_STAYS, ANY_STAY)
    return _fold_together(folded, "notices:", NAMED_ORGANISATIONS, ANY_NOTICE)


def _fold_together(touched: Mapping[str, int], prefix: str, most: int, name: str) -> Mapping[str, int]:
    named = [key for key in touched if key.startswith(prefix)]
    if len(named) <= most:
        return touched
    rest = Counter({key: count for key, count in touched.items() if not key.startswith(prefix)})
    rest[name] = len(named)
    return rest


async def _write(tx: Transaction, changes: Changes) -> None:
    written = (
        (projected.write_events, changes.events),
        (projected.write_people, list(changes.people.values())),
        (projected.write_people_named_elsewhere, list(changes.named_elsewhere.values())),
        (projected.write_stays, list(changes.stays.values())),
        (projected.write_transitions, list(changes.transitions.values())),
        (projected.write_tasks, list(changes.tasks.values())),
        (projected.write_plans, list(changes.plans.values())),
        (projected.write_deliveries, list(changes.deliveries.values())),
        (projected.write_minutes, list(changes.minutes.values())),
        (projected.write_signals, list(changes.signals.values())),
    )
    for write, rows in written:
        if rows:
            await write(tx.connection, rows)
    if changes.transitions:
        await projected.sum_up_tasks(tx.connection, list(changes.transitions))


async def _merge(tx: Transaction, merges: Mapping[str, str]) -> None:
    for retired, survivor in merges.items():
        await tx.alias(retired, survivor)
    await projected.rekey(tx.connection, merges)

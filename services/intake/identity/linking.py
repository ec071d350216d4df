"""Links across authorities: certain ones of themselves, others on a person's word. Each can be undone (`splitting`)."""

from uuid import UUID

from services.intake import family_store
from services.intake import store as intake_store
from services.intake.chart import Patient
from services.intake.context import sortable
from services.intake.identity import store
from services.intake.identity.joins import Basis, Joining, correct_patient
from services.intake.identity.store import Pair
from services.intake.merging import join
from services.intake.message import OrderKey
from services.intake.patient import Record, learn_under
from shared.postgres import Database, Transaction

AT_ONCE = 20


async def link_certain(database: Database) -> int:
    """Links the pairs whose score decided, one transaction each; answers how many were looked at."""
    async with database.pool.acquire() as connection:
        waiting = await store.to_link(connection, AT_ONCE)
    for pair_id, pair in waiting:
        async with database.transaction() as tx:
            decided = await store.decide(tx.connection, pair_id, None, "linked", by=None, note=None, among=("linking",))
            if decided is not None:
                await link(tx, pair, pair_id, Basis.AUTOMATIC_LINK, None)
    return len(waiting)


async def link(tx: Transaction, pair: Pair, pair_id: UUID, basis: Basis, by: str | None) -> str:
    """Both records are one person's from now on; answers who survives. Nothing to do where they are already."""
    surviving = await tx.lock(pair)
    one, other = surviving[pair.one], surviving[pair.other]
    if one == other:
        return one
    patients = await intake_store.load_patients(tx.connection, [one, other])
    survivor, retired = _in_order(patients.get(one, Patient(one)), patients.get(other, Patient(other)))
    before = survivor.record
    survivor.record = united(before, retired.record)
    survivor.version += 1
    await correct_patient(tx.connection, survivor.id, survivor.version, survivor.record)
    at = await tx.now()
    said = OrderKey(sortable(at), sortable(at), 0, "", "")
    await family_store.say_same(tx.connection, pair_id, retired.id, survivor.id, said)
    joining = Joining(retired.id, survivor.id, basis, before, pair_id=pair_id, by=by)
    await tx.publish(await join(tx, joining, survivor, at, str(pair_id)))
    await store.queue(tx.connection, [survivor.id])
    return survivor.id


def _in_order(one: Patient, other: Patient) -> tuple[Patient, Patient]:
    """The better known record survives."""
    if (one.version, one.id) >= (other.version, other.id):
        return one, other
    return other, one


def united(record: Record, other: Record) -> Record:
    """What both records say; the latest word wins, field by field."""
    for saying in other:
        record = learn_under(saying.order, record, saying.said)
    return record

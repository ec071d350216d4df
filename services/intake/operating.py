"""What operations ask of intake beside the common routes: open stays told again, and the messages that are held."""

from collections.abc import Sequence

from services.intake import store
from services.intake.describing import describe
from services.intake.identity import review_store
from shared.events import Draft
from shared.events.encounters import EncounterSnapshot
from shared.kafka.operating import Hop
from shared.postgres import Database, Transaction

PAGE = 500
HELD = """
SELECT count(*) AS count, extract(epoch FROM clock_timestamp() - min(received_at))::float8 AS oldest
FROM message WHERE outcome = 'held'
"""


WORK = """
SELECT 'arrivals' AS name, count(*) AS count, extract(epoch FROM clock_timestamp() - min(received_at))::float8 AS oldest
FROM arrival
UNION ALL
SELECT 'files' AS name, count(*) AS count, extract(epoch FROM clock_timestamp() - min(received_at))::float8 AS oldest
FROM incoming_file WHERE state = 'waiting'
UNION ALL
SELECT 'replays', count(*), extract(epoch FROM clock_timestamp() - min(asked_at))::float8
FROM replay WHERE state = 'running'
"""


async def tell_open_stays(tx: Transaction) -> int:
    """One snapshot event for each open stay, under the patients' locks; nothing has happened."""
    told, after = 0, None
    while True:
        stays = await store.open_stays(tx.connection, after, PAGE)
        if not stays:
            return told
        after = stays[-1].identity.id
        await tx.lock({stay.patient_id for stay in stays})
        # Read again under the locks: they may have moved on meanwhile.
        stays = await store.stays_by_id(tx.connection, [stay.identity.id for stay in stays])
        patients = await store.load_patients(tx.connection, {stay.patient_id for stay in stays})
        now = await tx.now()
        drafts = []
        for stay in stays:
            encounter = describe(stay.identity, stay.version, stay.state, patients[stay.patient_id].summary())
            drafts.append(
                Draft(
                    fact=EncounterSnapshot(encounter=encounter),
                    subject=stay.patient_id,
                    time=now,
                    correlation_id=str(stay.identity.id),
                    causation_id=str(stay.identity.id),
                    version=stay.version,
                    snapshot=True,
                )
            )
        await tx.publish(drafts)
        told += len(drafts)


async def held_hop(database: Database) -> Sequence[Hop]:
    """What waits here for a person, or for work beside the messages."""
    async with database.pool.acquire() as connection:
        held = await connection.fetchrow(HELD)
        waiting = [*await review_store.hops(connection), *map(dict, await connection.fetch(WORK))]
    rows = [{"name": "held", **dict(held)}, *waiting] if held else waiting
    return [Hop(name=row["name"], count=row["count"], oldest_seconds=row["oldest"]) for row in rows]

"""The SQL of changes to what already stands: links, moved and renumbered stays. Rare, each in a group of its own."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from services.intake import store
from services.intake.chart import Stay
from services.intake.message import OrderKey
from shared.events.people import Identifier

if TYPE_CHECKING:
    from services.intake.store import Connection

LONGEST_CHAIN = 10
"""Numbers that a visit may have had, one after the other."""
# The latest word on a pair: an earlier one changes nothing. Answers whether the pair stands otherwise than before.
LINK = """
WITH before AS (SELECT linked FROM patient_link WHERE patient_id = least($1, $2) AND other_id = greatest($1, $2)),
said AS (
    INSERT INTO patient_link AS l (patient_id, other_id, linked, said)
    VALUES (least($1, $2), greatest($1, $2), $3, $4)
    ON CONFLICT (patient_id, other_id) DO UPDATE SET linked = excluded.linked, said = excluded.said
    WHERE l.said < excluded.said
    RETURNING linked
)
SELECT said.linked <> coalesce((SELECT linked FROM before), false) FROM said
"""
BY_VISIT = """
SELECT id FROM encounter WHERE authority = $1 AND type = $2 AND value = $3 FOR UPDATE
"""
GIVE = "UPDATE encounter SET patient_id = $2, updated_at = now() WHERE id = ANY ($1)"
GIVE_STANDINGS = "UPDATE standing SET patient_id = $2, updated_at = now() WHERE encounter_id = ANY ($1)"
RENUMBER = "UPDATE encounter SET authority = $2, type = $3, value = $4, updated_at = now() WHERE id = $1"
JOIN_FACTS = """
WITH moved AS (DELETE FROM encounter_fact WHERE encounter_id = $1 RETURNING message_id, fact)
INSERT INTO encounter_fact (encounter_id, message_id, fact) SELECT $2, message_id, fact FROM moved
ON CONFLICT DO NOTHING
"""
JOIN_STANDINGS = "UPDATE standing SET encounter_id = $2, updated_at = now() WHERE encounter_id = $1"


async def link(connection: "Connection", one: str, other: str, order: OrderKey, *, is_linked: bool) -> bool:
    """Whether the pair stands otherwise than before."""
    said = [order.recorded, order.sent, str(int(order.rank)), order.control_id, order.digest]
    changed: bool | None = await connection.fetchval(LINK, one, other, is_linked, said)
    return bool(changed)


async def stay_by(connection: "Connection", visit: Identifier) -> Stay | None:
    """The stay under that number, with all its facts."""
    rows = await connection.fetch(BY_VISIT, visit.authority, visit.type, visit.value)
    found = await _with_facts(connection, [row["id"] for row in rows])
    return found[0] if found else None


async def stay_now(connection: "Connection", visit: Identifier) -> Stay | None:
    """The stay that the visit goes on as, whatever its number is now."""
    found = await stay_by(connection, visit)
    for _ in range(LONGEST_CHAIN):
        if found is None or found.state.merged_into is None:
            break
        found = await stay_by(connection, found.state.merged_into)
    return found


async def _with_facts(connection: "Connection", ids: Sequence[UUID]) -> list[Stay]:
    stays = await store.stays_by_id(connection, ids) if ids else []
    if stays:
        await store.load_facts(connection, {stay.identity.id: stay for stay in stays})
    return stays


async def give(connection: "Connection", stays: Sequence[Stay], patient_id: str) -> None:
    """Makes the stays, and what belongs to them, the patient's."""
    ids = [stay.identity.id for stay in stays]
    await connection.execute(GIVE, ids, patient_id)
    await connection.execute(GIVE_STANDINGS, ids, patient_id)


async def renumber(connection: "Connection", stay_id: UUID, visit: Identifier) -> None:
    await connection.execute(RENUMBER, stay_id, visit.authority, visit.type, visit.value)


async def join(connection: "Connection", retired: UUID, survivor: UUID) -> None:
    """All that was said of the one was said of the other."""
    await connection.execute(JOIN_FACTS, retired, survivor)
    await connection.execute(JOIN_STANDINGS, retired, survivor)

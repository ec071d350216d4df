"""What is under way in a stack: acknowledged and not interpreted, said and not published, heard and not taken into
effect, queued and not delivered.
"""

from dataclasses import asdict, astuple, dataclass
from typing import TYPE_CHECKING

from typing_extensions import override

from deploy.reconciler.collecting import CONSUMERS, SERVICES

if TYPE_CHECKING:
    import asyncpg

UNPUBLISHED = " + ".join(f"(SELECT count(*) FROM {s}.outbox WHERE published_at IS NULL)" for s in SERVICES)
OPEN = "(SELECT count(*) FROM notifications.delivery WHERE status IN ('waiting', 'queued', 'delivering'))"
PARKED = " + ".join(f"(SELECT count(*) FROM {s}.blocked_key)" for s in SERVICES)
# Sequences are gap-free from 1, so their sum counts events; requests to republish are not counted, they may be lost.
SAID = " UNION ALL ".join(f"SELECT '{s}' AS source, topic, sequence FROM {s}.stream" for s in SERVICES)
TAKEN = " UNION ALL ".join(f"SELECT consumer, source, topic, sequence FROM {s}.watermark" for s in CONSUMERS)
HEARD = " UNION ".join(f"SELECT DISTINCT consumer, topic FROM {s}.position" for s in CONSUMERS)
BEHIND = f"""
(SELECT coalesce(sum(said.events), 0) - coalesce(sum(taken.events), 0) FROM ({HEARD}) heard
 JOIN (SELECT topic, sum(sequence) AS events FROM ({SAID}) s WHERE topic <> 'care.republish.v1' GROUP BY topic) said
   USING (topic)
 LEFT JOIN (SELECT consumer, topic, sum(sequence) AS events FROM ({TAKEN}) t GROUP BY consumer, topic) taken
   USING (consumer, topic))
"""
UNINTERPRETED = "(SELECT count(*) FROM intake.arrival)"
BACKLOG = f"""
SELECT {UNINTERPRETED} AS uninterpreted, {UNPUBLISHED} AS unpublished, {BEHIND}::bigint AS behind,
       {OPEN} AS undelivered, {PARKED} AS parked
"""

PARKED_WHY = " UNION ALL ".join(
    f"SELECT consumer, reason, state, detail, count(*) AS keys FROM {s}.blocked_key GROUP BY 1, 2, 3, 4"
    for s in SERVICES
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Counts of what is under way, over all services."""

    uninterpreted: int
    unpublished: int
    behind: int
    undelivered: int
    parked: int

    @property
    def total(self) -> int:
        return sum(astuple(self))

    @override
    def __str__(self) -> str:
        return ", ".join(f"{count} {name}" for name, count in asdict(self).items())


async def measure(connection: "asyncpg.Connection[asyncpg.Record]") -> Backlog:
    """Raises asyncpg.PostgresError or OSError when the server is away."""
    row = await connection.fetchrow(BACKLOG)
    if row is None:
        raise LookupError("no answer")
    return Backlog(**dict(row))


async def parked_why(connection: "asyncpg.Connection[asyncpg.Record]") -> list[str]:
    """Which consumer parked how many keys for what reason."""
    rows = await connection.fetch(PARKED_WHY)
    return [f"{r['consumer']}: {r['keys']} {r['state']} for {r['reason']} ({r['detail']})" for r in rows]

"""Unknown codes in the database: added to every few seconds, read by feed."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import asyncpg

from services.intake.unknown_codes import Tally, UnknownCode
from shared.postgres import Database
from shared.telemetry import log

if TYPE_CHECKING:
    from services.intake.store import Connection

KEEP_EVERY_S = 2.0
ADD = """
INSERT INTO unknown_code AS u (feed, field, code, count)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) ORDER BY 1, 2, 3
ON CONFLICT (feed, field, code) DO UPDATE SET count = u.count + excluded.count, last_seen = now()
"""
OF_FEED = """
SELECT field, code, count, first_seen, last_seen FROM unknown_code
WHERE feed = $1 ORDER BY count DESC, field, code LIMIT 500
"""
TOTALS = "SELECT feed, sum(count)::bigint AS count FROM unknown_code GROUP BY feed"
# For retention: a code that is no longer sent.
ENDED: Mapping[str, str] = {"unknown_code": "r.last_seen < $1"}
FORGET = "DELETE FROM unknown_code WHERE feed = $1 AND field = $2 AND code = $3"


async def keep_unknown_codes(database: Database, tally: Tally) -> None:
    """Writes the counts down, until cancelled; what the database could not take is added the next time."""
    while True:
        await asyncio.sleep(KEEP_EVERY_S)
        counts = tally.take()
        if not counts:
            continue
        try:
            await add(database, counts)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            tally.put_back(counts)
            log.warning("unknown codes not written down", error=error, retry_in=KEEP_EVERY_S)


async def add(database: Database, counts: Counter[UnknownCode]) -> None:
    rows = [(*found, count) for found, count in counts.items()]
    await database.pool.execute(ADD, *(list(column) for column in zip(*rows, strict=True)))


async def of_feed(connection: "Connection", feed: str) -> list[dict[str, Any]]:
    """The feed's unknown codes, the most frequent first."""
    return [dict(row) for row in await connection.fetch(OF_FEED, feed)]


async def totals(connection: "Connection") -> dict[str, int]:
    return {row["feed"]: row["count"] for row in await connection.fetch(TOTALS)}


async def forget(connection: "Connection", feed: str, field: str, code: str) -> bool:
    """After it was put into a map; answers whether there was such a row."""
    done: str = await connection.execute(FORGET, feed, field, code)
    return done != "DELETE 0"

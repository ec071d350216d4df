"""What each feed sent in each minute, told on care.feeds.v1, zeros too: zero is silence, no count a fault of ours."""

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg

from services.intake.feeds import FeedDirectory
from shared.events import Draft
from shared.events.operations import FeedCounted, TriggerCount
from shared.metrics import MESSAGES_HELD, WORK_ALIVE
from shared.postgres import Database, Transaction
from shared.telemetry import log

if TYPE_CHECKING:
    from services.intake.store import Connection

CHECK_EVERY_S = 5.0
# A minute is counted this long after its end: what came in its last moment has then been committed.
SETTLED_AFTER = timedelta(seconds=8)
# Or later, while messages wait to be interpreted: what they are is known then. A count that came much later would be
# taken for a silence.
WAITED_FOR = timedelta(seconds=60)
# After a standstill of ours only the last minutes are told: older silence would be news of the wrong thing.
TOLD_BACK = timedelta(minutes=5)

COUNTS = """
SELECT feed, trigger, outcome, count(*)::int AS count FROM message
WHERE id >= first_id($1) AND id < first_id($1 + interval '1 minute') GROUP BY 1, 2, 3
UNION ALL
SELECT feed, trigger, 'duplicate', count FROM duplicates WHERE minute = $1
ORDER BY 1, 2, 3
"""
LAST_RECEIVED = """
SELECT DISTINCT ON (f.feed) f.feed, m.received_at FROM unnest($1::text[]) AS f (feed)
CROSS JOIN LATERAL (SELECT received_at FROM message m WHERE m.feed = f.feed ORDER BY id DESC LIMIT 1) m
"""
SEEN = """
SELECT feed FROM counted_minute WHERE minute >= now() - interval '24 hours' AND messages > 0
UNION SELECT feed FROM message WHERE id >= first_id($1)
"""
TAKE = """
INSERT INTO counted_minute (feed, minute) SELECT f, $2 FROM unnest($1::text[]) f ORDER BY f
ON CONFLICT DO NOTHING RETURNING feed
"""
# What came since the minute before was counted: more than a minute after a standstill.
NOTE = """
UPDATE counted_minute c SET messages = m.messages, last_received_at = m.last
FROM (SELECT feed, count(*) AS messages, max(received_at) AS last FROM message
      WHERE id >= first_id($1) AND id < first_id($2::timestamptz + interval '1 minute') GROUP BY feed) m
WHERE c.feed = m.feed AND c.minute = $2
"""
# What they are is not known yet: a feed from which nothing else came in this minute has not been silent in it.
ARE_SOME_WAITING = """
SELECT EXISTS (SELECT FROM arrival WHERE id >= first_id($1) AND id < first_id($1 + interval '1 minute'))
"""
OLDEST_WAITING = "SELECT received_at FROM arrival ORDER BY id LIMIT 1"
LAST_MINUTE = "SELECT max(minute) FROM counted_minute"
FORGET = "DELETE FROM counted_minute WHERE minute < $1"
FORGET_DUPLICATES = "DELETE FROM duplicates WHERE minute < $1"
KEPT = timedelta(days=2)
HELD = "SELECT feed, count(*) AS count FROM message WHERE outcome = 'held' GROUP BY feed"


class Counting:
    """Several replicas may count: who inserts a minute's row says its count."""

    def __init__(self, database: Database, feeds: FeedDirectory) -> None:
        self._database = database
        self._feeds = feeds

    async def run(self) -> None:
        while True:
            try:
                await self.count()
                WORK_ALIVE.labels("counting").set_to_current_time()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("counting failed", error=error)
            await asyncio.sleep(CHECK_EVERY_S)

    async def count(self) -> int:
        """Says every settled minute that was not said yet; answers how many counts were said."""
        said = 0
        async with self._database.transaction() as tx:
            now = await tx.now()
            last = await tx.connection.fetchval(LAST_MINUTE)
            waiting = await tx.connection.fetchval(OLDEST_WAITING) or now
            settled = _minute(min(now - SETTLED_AFTER, max(waiting, now - WAITED_FOR))) - timedelta(minutes=1)
            since = last + timedelta(minutes=1) if last else now - timedelta(days=1)
            minute = max(since, settled - TOLD_BACK) if last else settled
            while minute <= settled:
                said += await self._say(tx, minute, since)
                since = minute = minute + timedelta(minutes=1)
            await tx.connection.execute(FORGET, now - KEPT)
            await tx.connection.execute(FORGET_DUPLICATES, now - KEPT)
            await _show_held(tx.connection)
        return said

    async def _say(self, tx: Transaction, minute: datetime, since: datetime) -> int:
        seen = [row["feed"] for row in await tx.connection.fetch(SEEN, since)]
        names = sorted({*(feed.name for feed in self._feeds.feeds), *seen})
        if await tx.connection.fetchval(ARE_SOME_WAITING, minute):
            names = sorted({row["feed"] for row in await tx.connection.fetch(COUNTS, minute)})
        taken = [row["feed"] for row in await tx.connection.fetch(TAKE, names, minute)]
        if not taken:
            return 0
        await tx.connection.execute(NOTE, since, minute)
        await tx.lock(taken)
        counts: dict[str, list[TriggerCount]] = {name: [] for name in taken}
        for row in await tx.connection.fetch(COUNTS, minute):
            if row["feed"] in counts:
                counts[row["feed"]].append(
                    TriggerCount(trigger=row["trigger"], outcome=row["outcome"], count=row["count"])
                )
        last = {row["feed"]: row["received_at"] for row in await tx.connection.fetch(LAST_RECEIVED, taken)}
        await tx.publish([self._draft(name, minute, counts[name], last.get(name)) for name in sorted(taken)])
        return len(taken)

    def _draft(self, name: str, minute: datetime, counts: list[TriggerCount], last: Any) -> Draft:
        feed = next((feed for feed in self._feeds.feeds if feed.name == name), None)
        silence = feed.longest_silence(minute) if feed else None
        fact = FeedCounted(
            feed=name,
            facility=feed.facility.code if feed else None,
            minute=minute,
            total=sum(one.count for one in counts),
            counts=tuple(counts),
            last_received_at=last,
            time_zone=feed.facility.time_zone if feed else None,
            quiet_minutes=silence // timedelta(minutes=1) if silence else None,
        )
        return Draft(fact=fact, subject=name, time=minute, correlation_id=name, causation_id=name)


async def _show_held(connection: "Connection") -> None:
    MESSAGES_HELD.clear()
    for row in await connection.fetch(HELD):
        MESSAGES_HELD.labels(row["feed"]).set(row["count"])


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)

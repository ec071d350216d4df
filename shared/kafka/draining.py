"""Releasing parked patients: their events take effect one by one, in order, and then the key is free again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from shared.events import read_event
from shared.kafka import store
from shared.kafka.applying import Applier, barrier_of, stream_of
from shared.kafka.failures import is_transient
from shared.kafka.sequence import Mark, Verdict, judge, reached
from shared.kafka.store import Block, Parked
from shared.postgres import Database, Transaction
from shared.postgres.outbox import unpack_headers
from shared.telemetry import describe_error, log

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

EVERY_S = 0.5
# A gap that was asked about this long ago is asked about again.
ASK_AGAIN_S = 60

RELEASING = "SELECT subject FROM blocked_key WHERE consumer = $1 AND state = 'releasing' ORDER BY since LIMIT 50"
HOLD = "SELECT 1 FROM blocked_key WHERE consumer = $1 AND subject = $2 AND state = 'releasing' FOR UPDATE"
# The oldest event of each stream of this patient.
HEADS = """
SELECT DISTINCT ON (source, topic) id, topic, headers, value FROM parked_event
WHERE consumer = $1 AND subject = $2 ORDER BY source, topic, epoch, sequence
"""
FORGET = "DELETE FROM parked_event WHERE id = $1"
FREE = "DELETE FROM blocked_key WHERE consumer = $1 AND subject = $2"
STALE_GAPS = """
UPDATE blocked_key SET asked_at = clock_timestamp()
WHERE consumer = $1 AND reason = 'gap' AND state = 'parked' AND asked_at < clock_timestamp() - make_interval(secs => $2)
RETURNING subject
"""


@dataclass(frozen=True, slots=True)
class Head:
    row: int
    parked: Parked


class Drainer:
    """Works off released keys of one consumer. What fails again is parked again, with the new reason."""

    def __init__(self, database: Database, applier: Applier) -> None:
        self._database = database
        self._applier = applier

    async def run(self) -> None:
        while True:
            try:
                await self.drain()
                await self._ask_again()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("drainer.waiting", consumer=self._applier.consumer, error=describe_error(error))
            await asyncio.sleep(EVERY_S)

    async def drain(self) -> int:
        """Works off what is released now; answers how many events took effect."""
        done = 0
        for row in await self._database.pool.fetch(RELEASING, self._applier.consumer):
            while await self._step(row["subject"]):
                done += 1
        return done

    async def _step(self, subject: str) -> bool:
        """One event of this patient, in its own transaction. False when there is nothing more to do here now."""
        try:
            async with self._database.transaction() as tx:
                return await self._apply_next(tx, subject)
        except Exception as error:
            if is_transient(error):
                raise
            async with self._database.transaction() as tx:
                await tx.lock([subject])
                await store.block(
                    tx.connection, self._applier.consumer, subject, Block("failed", describe_error(error))
                )
            log.error("drainer.parked_again", consumer=self._applier.consumer, error=describe_error(error))
            return False

    async def _apply_next(self, tx: Transaction, subject: str) -> bool:
        consumer = self._applier.consumer
        found = await self._heads(tx.connection, subject)
        await tx.lock({subject, *(c for head in found for c in head.parked.event.fact.concerns())})
        if not await tx.connection.fetchval(HOLD, consumer, subject):
            return False
        heads = await self._heads(tx.connection, subject)
        if not heads:
            await tx.connection.execute(FREE, consumer, subject)
            return False
        return await self._apply_one_of(tx, subject, heads)

    async def _apply_one_of(self, tx: Transaction, subject: str, heads: Sequence[Head]) -> bool:
        consumer = self._applier.consumer
        events = [head.parked.event for head in heads]
        barriers = [barrier[0] for event in events if (barrier := barrier_of(event))]
        known = await store.marks(tx.connection, consumer, {*map(stream_of, events), *barriers})
        why: Block | None = None
        for head in sorted(heads, key=lambda head: head.row):
            event = head.parked.event
            verdict = judge(event, known.get(stream_of(event)), joins_late=self._applier.joins_late)
            barrier = barrier_of(event)
            if verdict is Verdict.GAP:
                why = Block("gap", f"events before number {event.sequence} of {event.topic} have not come")
                continue
            if barrier and not reached(known.get(barrier[0]), barrier[1].epoch, barrier[1].sequence):
                why = Block("awaiting-merge", "the retired patient's own events have not all taken effect", barrier)
                continue
            if verdict is Verdict.FRESH:
                await self._applier.handle(tx, [event])
                await store.set_marks(tx.connection, consumer, {stream_of(event): Mark(event.epoch, event.sequence)})
            await tx.connection.execute(FORGET, head.row)
            return True
        if why:
            await store.block(tx.connection, consumer, subject, why)
        return False

    async def _heads(self, connection: "Connection", subject: str) -> list[Head]:
        heads: list[Head] = []
        for row in await connection.fetch(HEADS, self._applier.consumer, subject):
            event = read_event(row["topic"], unpack_headers(row["headers"]), row["value"])
            if event is not None:
                heads.append(Head(row["id"], Parked(event, row["headers"], row["value"])))
        return heads

    async def _ask_again(self) -> None:
        for row in await self._database.pool.fetch(STALE_GAPS, self._applier.consumer, ASK_AGAIN_S):
            async with self._database.transaction() as tx:
                await tx.lock([row["subject"]])
                heads = await self._heads(tx.connection, row["subject"])
                events = [head.parked.event for head in heads]
                known = await store.marks(tx.connection, self._applier.consumer, set(map(stream_of, events)))
                missing = [e for e in events if judge(e, known.get(stream_of(e)), joins_late=False) is Verdict.GAP]
                await tx.publish([self._applier.ask_again(event, known.get(stream_of(event))) for event in missing])

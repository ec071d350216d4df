"""Releasing parked patients: their events take effect in order, many patients at a time, and then the keys are free.

As in the live loop a transaction takes effect whole or not at all; one that fails is halved, down to the event that
fails, and its patient is parked again with the new reason.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import asyncpg

from shared.kafka import parked_store, store
from shared.kafka.applying import Applier, barrier_of, concerned, obstacle, stream_of
from shared.kafka.failures import is_transient
from shared.kafka.parked_store import Row
from shared.kafka.sequence import Mark, Verdict, judge
from shared.kafka.store import Block, Parked, StreamKey
from shared.postgres import Database, Transaction
from shared.postgres.outbox import unpack_headers
from shared.telemetry import describe_error, log

EVERY_S = 1.0
# One transaction takes so many keys and so many events of each.
KEYS = 50
EVENTS_OF_A_KEY = 20
# A gap that was asked about this long ago is asked about again.
ASK_AGAIN_S = 60


@dataclass(frozen=True, slots=True)
class Head:
    """A parked event, read anew."""

    row: int
    parked: Parked


@dataclass(slots=True)
class Plan:
    """What one transaction does: `apply` in this order, drop the rows `done`, park again whoever must wait still."""

    apply: list[Parked] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    waits: dict[str, Block] = field(default_factory=dict)
    marks: dict[StreamKey, Mark] = field(default_factory=dict)


def plan_release(
    heads: Mapping[str, Sequence[Head]], known: Mapping[StreamKey, Mark], *, each: int, joins_late: bool
) -> Plan:
    """Pure. Of every patient up to `each` events, each stream in its order, the oldest parked of the streams first.

    A survivor may wait for a retired patient who is released with it, so whoever must wait is looked at again for as
    long as anything moves.
    """
    plan = Plan()
    left = {subject: _streams(parked) for subject, parked in heads.items()}
    room = dict.fromkeys(left, each)
    moving = True
    while moving:
        moving = False
        for subject, streams in left.items():
            while room[subject] and (head := _next(plan, subject, streams, known, joins_late=joins_late)):
                streams[stream_of(head.parked.event)].pop()
                plan.done.append(head.row)
                room[subject] -= 1
                moving = True
    return plan


def _streams(parked: Sequence[Head]) -> dict[StreamKey, list[Head]]:
    """Stacks: the next event of each stream on top."""
    streams: dict[StreamKey, list[Head]] = {}
    for head in sorted(parked, key=lambda head: (head.parked.event.epoch, head.parked.event.sequence), reverse=True):
        streams.setdefault(stream_of(head.parked.event), []).append(head)
    return streams


def _next(
    plan: Plan,
    subject: str,
    streams: Mapping[StreamKey, list[Head]],
    known: Mapping[StreamKey, Mark],
    *,
    joins_late: bool,
) -> Head | None:
    """The event of this patient that can be worked off now; None when there is none, or all of them must wait."""
    plan.waits.pop(subject, None)
    for head in sorted((stack[-1] for stack in streams.values() if stack), key=lambda head: head.row):
        event, stream = head.parked.event, stream_of(head.parked.event)
        verdict = judge(event, plan.marks.get(stream, known.get(stream)), joins_late=joins_late)
        if verdict is not Verdict.DUPLICATE:
            barrier = barrier_of(event)
            there = barrier and (plan.marks.get(barrier[0]) or known.get(barrier[0]))
            if why := obstacle(event, verdict, barrier if there or not joins_late else None, there or None):
                plan.waits[subject] = why
                continue
            plan.apply.append(head.parked)
            plan.marks[stream] = Mark(event.epoch, event.sequence)
        plan.waits.pop(subject, None)
        return head
    return None


class Drainer:
    """Works off released keys of one consumer. What fails again is parked again, with the new reason."""

    def __init__(self, database: Database, applier: Applier) -> None:
        self._database = database
        self._applier = applier
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A key was released just now."""
        self._woken.set()

    async def run(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self.drain()
                await self._ask_again()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("drainer.waiting", consumer=self._applier.consumer, error=describe_error(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), EVERY_S)

    async def drain(self) -> int:
        """Works off what is released now; answers how many events took effect or were dropped as known."""
        done = 0
        while keys := await parked_store.releasing(self._database.pool, self._applier.consumer, KEYS):
            done += await self._work_off(keys, EVENTS_OF_A_KEY)
        return done

    async def _work_off(self, keys: Sequence[str], each: int) -> int:
        """Up to `each` events of these keys in one transaction; on failure halves, down to the event that fails."""
        try:
            async with self._database.transaction() as tx:
                return await self._release(tx, keys, each)
        except Exception as error:
            if is_transient(error):
                raise
            if len(keys) > 1:
                middle = len(keys) // 2
                return await self._work_off(keys[:middle], each) + await self._work_off(keys[middle:], each)
            if each > 1:
                return await self._work_off(keys, each // 2) + await self._work_off(keys, each - each // 2)
            await self._park_again(keys[0], error)
            return 0

    async def _park_again(self, subject: str, error: BaseException) -> None:
        consumer = self._applier.consumer
        async with self._database.transaction() as tx:
            await tx.lock([subject])
            if await parked_store.hold(tx.connection, consumer, [subject]):
                await store.block(tx.connection, consumer, subject, Block("failed", describe_error(error)))
        log.error("drainer.parked_again", consumer=consumer, error=describe_error(error))

    async def _release(self, tx: Transaction, keys: Sequence[str], each: int) -> int:
        """One transaction. What came to be parked after the first look waits for the next: its locks are not held."""
        consumer, connection = self._applier.consumer, tx.connection
        seen = await parked_store.oldest(connection, consumer, keys, each)
        heads = {row.id: self._head(row) for row in seen}
        events = [head.parked.event for head in heads.values()]
        barriers = [barrier[0] for event in events if (barrier := barrier_of(event))]
        subjects = {*keys, *concerned(events)}
        known = await store.take_up(tx, consumer, subjects, keys, {*map(stream_of, events), *barriers})
        held = await parked_store.hold(connection, consumer, keys)
        rows = [row for row in await parked_store.still_there(connection, seen) if row.subject in held]
        plan = plan_release(_by_subject(rows, heads), known.marks, each=each, joins_late=self._applier.joins_late)
        await self._applier.handle(tx, [parked.event for parked in plan.apply])
        if plan.marks:
            await store.settle(connection, consumer, plan.marks)
        await parked_store.forget(connection, plan.done)
        for subject, why in plan.waits.items():
            await store.block(connection, consumer, subject, why)
        await parked_store.free(connection, consumer, held)
        return len(plan.done)

    async def _ask_again(self) -> None:
        """Asks once more for what is missing before the parked events of a key, from every source that lacks any."""
        consumer = self._applier.consumer
        stale = await parked_store.stale_gaps(self._database.pool, consumer, ASK_AGAIN_S, KEYS)
        if not stale:
            return
        async with self._database.transaction() as tx:
            await tx.lock(stale)
            waiting = await parked_store.asked(tx.connection, consumer, stale)
            rows = await parked_store.oldest(tx.connection, consumer, waiting, 1)
            events = [self._head(row).parked.event for row in rows]
            known = await store.marks(tx.connection, consumer, set(map(stream_of, events)))
            missing = [e for e in events if judge(e, known.get(stream_of(e)), joins_late=False) is Verdict.GAP]
            await tx.publish([self._applier.ask_again(event, known.get(stream_of(event))) for event in missing])

    def _head(self, row: Row) -> Head:
        headers = unpack_headers(row.headers)
        return Head(row.id, Parked(self._applier.hearing.event(row.topic, headers, row.value), headers, row.value))


def _by_subject(rows: Iterable[Row], heads: Mapping[int, Head]) -> dict[str, list[Head]]:
    found: dict[str, list[Head]] = {}
    for row in rows:
        found.setdefault(row.subject, []).append(heads[row.id])
    return found

"""Group commit: what arrived on all connections while the last group was being committed becomes the next one.

One transaction a group, few round trips, acknowledgements after the commit. A group that fails is halved down to the
message that is at fault, which is stored `held`; a store that is away is waited for, and nobody is acknowledged.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from uuid import UUID

import asyncpg

from services.intake import merging, store
from services.intake.arrival import Arrival
from services.intake.chart import Effect, Stay
from services.intake.encounter import in_order
from services.intake.identities import Identities
from services.intake.lifecycle import follows
from services.intake.message import Outcome, Reason, StayFact, Verdict
from services.intake.sealing import Seal
from services.intake.store import Opened
from services.intake.triggers import MERGES
from shared.events.people import Identifier
from shared.metrics import GROUP_MESSAGES, MESSAGES
from shared.postgres import Database, Transaction
from shared.telemetry import log

GROUP_MOST = 128
BUSY_PAUSE_S = 0.005
STORE_PAUSE_S = (0.05, 0.1, 0.25, 0.5, 1.0)
DUPLICATE = Verdict(Outcome.DUPLICATE)
RULE_FAILED = Verdict(Outcome.HELD, reason=Reason.RULE_FAILED)

# The store is away, full, or somebody holds what we need: nothing is wrong with the message. Wait and try again.
TRANSIENT = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.PostgresSystemError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


class Reception:
    """Takes arrivals in, and settles their `done` with the verdict once it is durable."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal
        self._identities = Identities()
        self._waiting: deque[Arrival] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self.store_failures = 0
        """Attempts in a row that failed because of the store; 0 when it is well."""

    @property
    def backlog(self) -> int:
        return len(self._waiting)

    def offer(self, arrival: Arrival) -> "asyncio.Future[Verdict]":
        self._waiting.append(arrival)
        self._idle.clear()
        self._wake.set()
        return arrival.done

    async def run(self) -> None:
        """Commits groups until cancelled. Whoever still waits then is not acknowledged."""
        try:
            await self._run()
        finally:
            for arrival in self._waiting:
                arrival.done.cancel()

    async def drain(self, seconds: float) -> None:
        """Waits until all that has come is settled, but no longer than that."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            group = self._next_group()
            if not group:
                self._wake.clear()
                self._idle.set()
                continue
            GROUP_MESSAGES.observe(len(group))
            await self._commit(group)

    def _next_group(self) -> list[Arrival]:
        """The oldest messages; a merge goes alone. Whoever hung up meanwhile will send again: nothing to do for it."""
        group: list[Arrival] = []
        while self._waiting and len(group) < GROUP_MOST:
            is_merge = _is_merge(self._waiting[0])
            if is_merge and group:
                break
            arrival = self._waiting.popleft()
            if not arrival.done.cancelled():
                group.append(arrival)
            if is_merge and group:
                break
        return group

    async def _commit(self, group: Sequence[Arrival]) -> None:
        """Commits the group, whatever it takes; halves it when it is at fault."""
        while True:
            try:
                effects, busy = await self._attempt(group)
            except asyncpg.LockNotAvailableError:
                await asyncio.sleep(BUSY_PAUSE_S)
            except TRANSIENT as error:
                await self._wait_for_store(error)
            except Exception as error:  # noqa: BLE001  (the rules' fault or the message's: found by halving)
                await self._halve(group, error)
                return
            else:
                self.store_failures = 0
                self._settle(effects)
                if busy:
                    self._waiting.extendleft(reversed(busy))
                    if not effects:
                        await asyncio.sleep(BUSY_PAUSE_S)
                return

    async def _wait_for_store(self, error: BaseException) -> None:
        pause = STORE_PAUSE_S[min(self.store_failures, len(STORE_PAUSE_S) - 1)]
        self.store_failures += 1
        log.warning("store not available", error=error, attempts=self.store_failures, retry_in=pause)
        await asyncio.sleep(pause)

    async def _halve(self, group: Sequence[Arrival], error: Exception) -> None:
        if len(group) == 1 and group[0].verdict is RULE_FAILED:
            # Not even the bare bytes could be stored: the sender keeps it.
            log.error("message cannot be stored", error=error, message_id=group[0].id)
            group[0].done.cancel()
            return
        log.error("group failed", error=error, count=len(group), message_id=group[0].id)
        if len(group) == 1:
            group[0].verdict, group[0].adt = RULE_FAILED, None
            await self._commit(group)
            return
        middle = len(group) // 2
        await self._commit(group[:middle])
        await self._commit(group[middle:])

    async def _attempt(self, group: Sequence[Arrival]) -> tuple[list[Effect], list[Arrival]]:
        """One transaction. Answers what took effect, and whose patients were busy elsewhere."""
        async with self._database.transaction() as tx:
            adts = [arrival.adt for arrival in group if arrival.adt]
            records, learned = await self._identities.resolve(
                tx.connection, [*(adt.identifiers for adt in adts), *(adt.retired for adt in adts if adt.retired)]
            )
            opened = await store.open_group(tx.connection, sorted(set(records.values())), group)
            effects, ready, busy = _sort_out(group, records, opened)
            await _load_older_facts(tx, ready, opened)
            for arrival in ready:
                effects.append(await _apply(tx, arrival, records, opened))
            await self._save(tx, opened, effects)
        self._identities.keep(learned)
        return effects, busy

    async def _save(self, tx: Transaction, opened: Opened, effects: Sequence[Effect]) -> None:
        fresh = [effect for effect in effects if effect.verdict is not DUPLICATE]
        if fresh:
            await store.save(tx.connection, opened.chart, fresh, self._seal)
        if len(fresh) < len(effects):
            await store.count_duplicates(tx.connection, [e.arrival for e in effects if e.verdict is DUPLICATE])
        await tx.publish([draft for effect in fresh for draft in effect.drafts])

    def _settle(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            MESSAGES.labels(effect.arrival.feed_name, effect.verdict.outcome.value).inc()
            if not effect.arrival.done.done():
                effect.arrival.done.set_result(effect.verdict)


def _is_merge(arrival: Arrival) -> bool:
    return arrival.adt is not None and arrival.adt.trigger in MERGES


Records = Mapping[Identifier, str]


def _sort_out(
    group: Sequence[Arrival], records: Records, opened: Opened
) -> tuple[list[Effect], list[Arrival], list[Arrival]]:
    """What is settled without the rules, what is ready for them, and whose patients are busy elsewhere."""
    effects: list[Effect] = []
    ready: list[Arrival] = []
    busy: list[Arrival] = []
    seen = set(opened.duplicates)
    for arrival in group:
        verdict = arrival.verdict
        if verdict and verdict.code != "AA":
            effects.append(Effect(arrival, verdict))
        elif arrival.key in seen and not arrival.is_replay:
            effects.append(Effect(arrival, DUPLICATE))
        elif any(records[one] not in opened.chart.surviving for one in _named(arrival)):
            busy.append(arrival)
        else:
            seen.add(arrival.key)
            if verdict or arrival.adt is None:
                effects.append(Effect(arrival, verdict or RULE_FAILED))
            else:
                ready.append(arrival)
    return effects, ready, busy


def _named(arrival: Arrival) -> Iterator[Identifier]:
    """The identifiers that stand for the records of the message."""
    if arrival.adt:
        yield arrival.adt.identifiers[0]
        yield from arrival.adt.retired[:1]


async def _apply(tx: Transaction, arrival: Arrival, records: Records, opened: Opened) -> Effect:
    survivor, *retired = (records[one] for one in _named(arrival))
    if retired:
        return await merging.merge(tx, opened.chart, arrival, survivor, retired[0])
    return opened.chart.take(arrival, survivor)


async def _load_older_facts(tx: Transaction, ready: Sequence[Arrival], opened: Opened) -> None:
    """A fact that sorts before what is known, or before another one of the group, needs all facts of its stay."""
    facts: dict[Identifier, list[StayFact]] = {}
    for arrival in ready:
        if arrival.adt and arrival.adt.visit and arrival.adt.fact and arrival.adt.visit in opened.chart.stays:
            facts.setdefault(arrival.adt.visit, []).append(arrival.adt.fact)
    late: dict[UUID, Stay] = {}
    for visit, told in facts.items():
        stay = opened.chart.stays[visit]
        if not follows(stay.state, told[0]) or told != in_order(told):
            late[stay.identity.id] = stay
    if late:
        await store.load_facts(tx.connection, late)

"""One group, one transaction, few round trips; the acknowledgements may leave once it has committed.

A group that fails is halved down to the message that is at fault, which is stored `held` in its own transaction: a
rule's error never costs the raw bytes, nor anybody else's message.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from services.intake import merging, standing_store, store
from services.intake.arrival import Arrival
from services.intake.chart import Effect, Stay
from services.intake.encounter import in_order
from services.intake.identities import Identities
from services.intake.lifecycle import follows
from services.intake.message import Outcome, Reason, StayFact, Verdict
from services.intake.sealing import Seal
from services.intake.store import Opened
from shared.events.people import Identifier
from shared.metrics import MESSAGES
from shared.postgres import Database, Transaction
from shared.telemetry import log

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

DUPLICATE = Verdict(Outcome.DUPLICATE)
RULE_FAILED = Verdict(Outcome.HELD, reason=Reason.RULE_FAILED)

# The store is away, full or read-only: nothing is wrong with the message, and nobody may be acknowledged.
STORE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.PostgresSystemError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
# Somebody else was in the way: the same again will do.
CONFLICTS = (asyncpg.LockNotAvailableError, asyncpg.TransactionRollbackError, asyncpg.UniqueViolationError)
ATTEMPTS = 3

Records = Mapping[Identifier, str]


class Committer:
    """Commits groups on a connection of its own."""

    def __init__(self, database: Database, connection: "Connection", identities: Identities, seal: Seal) -> None:
        self._database = database
        self._connection = connection
        self._identities = identities
        self._seal = seal

    async def commit(self, group: Sequence[Arrival], attempt: int = 1) -> list[Arrival]:
        """Settles the group's messages, but those whose patients are busy elsewhere: they are answered.

        Raises one of STORE_AWAY when the store is away: what was not settled must be tried again.
        """
        try:
            effects, busy = await self._attempt(group)
        except STORE_AWAY:
            raise
        except CONFLICTS as error:
            if attempt < ATTEMPTS:
                return await self.commit(group, attempt + 1)
            return await self._halve(group, error)
        except Exception as error:
            if self._connection.is_closed():
                raise ConnectionResetError("the connection to the store broke") from error
            # The rules' fault or the message's: found by halving.
            return await self._halve(group, error)
        _settle(effects)
        return busy

    async def _halve(self, group: Sequence[Arrival], error: Exception) -> list[Arrival]:
        log.error("group failed", error=error, count=len(group), message_id=group[0].id)
        if len(group) > 1:
            middle = len(group) // 2
            return [*await self.commit(group[:middle]), *await self.commit(group[middle:])]
        arrival = group[0]
        if arrival.verdict is RULE_FAILED:
            # Not even the bare bytes could be stored: it is the sender's still.
            arrival.done.cancel()
            return []
        arrival.verdict, arrival.adt = RULE_FAILED, None
        return await self.commit(group)

    async def _attempt(self, group: Sequence[Arrival]) -> tuple[list[Effect], list[Arrival]]:
        """One transaction. Answers what took effect, and whose patients were busy elsewhere."""
        async with self._database.transaction(self._connection) as tx:
            adts = [part for arrival in group if arrival.adt for part in arrival.adt.parts]
            records, learned = await self._identities.resolve(
                tx.connection, [*(adt.identifiers for adt in adts), *(adt.retired for adt in adts if adt.retired)]
            )
            opened = await store.open_group(tx.connection, sorted(set(records.values())), group)
            effects, ready, busy = _sort_out(group, records, opened)
            await _load_older_facts(tx, ready, opened)
            opened.chart.standings = await standing_store.load(tx.connection, _stated(ready))
            for arrival in ready:
                effects.append(await _apply(tx, arrival, records, opened))
            await self._save(tx, opened, effects)
        self._identities.keep(learned)
        return effects, busy

    async def _save(self, tx: Transaction, opened: Opened, effects: Sequence[Effect]) -> None:
        fresh = [effect for effect in effects if effect.verdict is not DUPLICATE]
        if fresh:
            await store.save(tx.connection, opened.chart, fresh, self._seal)
            await standing_store.save(tx.connection, opened.chart.standings)
        if len(fresh) < len(effects):
            await store.count_duplicates(tx.connection, [e.arrival for e in effects if e.verdict is DUPLICATE])
        await tx.publish([draft for effect in fresh for draft in effect.drafts])


def _settle(effects: Sequence[Effect]) -> None:
    for effect in effects:
        MESSAGES.labels(effect.arrival.feed_name, effect.verdict.outcome.value).inc()
        if not effect.arrival.done.done():
            effect.arrival.done.set_result(effect.verdict)


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
        for part in arrival.adt.parts:
            yield part.identifiers[0]
            yield from part.retired[:1]


def _stated(ready: Sequence[Arrival]) -> set[UUID]:
    """The things beside stays that these messages speak of."""
    return {
        statement.id_on(arrival.feed_name)
        for arrival in ready
        if arrival.adt
        for part in arrival.adt.parts
        for statement in part.statements
    }


async def _apply(tx: Transaction, arrival: Arrival, records: Records, opened: Opened) -> Effect:
    if arrival.adt and arrival.adt.others and not arrival.adt.retired:
        return opened.chart.take_parts(arrival, [records[part.identifiers[0]] for part in arrival.adt.parts])
    survivor, *retired = (records[one] for one in _named(arrival))
    if retired:
        return await merging.merge(tx, opened.chart, arrival, survivor, retired[0])
    return opened.chart.take(arrival, survivor)


async def _load_older_facts(tx: Transaction, ready: Sequence[Arrival], opened: Opened) -> None:
    """A fact that sorts before what is known, or before another one of the group, needs all facts of its stay."""
    facts: dict[Identifier, list[StayFact]] = {}
    for part in (part for arrival in ready if arrival.adt for part in arrival.adt.parts):
        if part.visit and part.fact and part.visit in opened.chart.stays:
            facts.setdefault(part.visit, []).append(part.fact)
    late: dict[UUID, Stay] = {}
    for visit, told in facts.items():
        stay = opened.chart.stays[visit]
        if not follows(stay.state, told[0]) or told != in_order(told):
            late[stay.identity.id] = stay
    if late:
        await store.load_facts(tx.connection, late)

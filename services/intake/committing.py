"""One group, one transaction, few round trips; the acknowledgements may leave once it has committed.

Usually two: what the group needs is read without locks, and written in one statement that fails when anything of it
has changed meanwhile. A group that met such a change, a merge and a replay take the way under locks.

A group that fails is halved down to the message that is at fault, which is stored `held` in its own transaction: a
rule's error never costs the raw bytes, nor anybody else's message.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from services.intake import group_store, keep_store, move_store, renumbering, solitary, standing_store, store
from services.intake.arrival import Arrival
from services.intake.chart import Effect, Stay
from services.intake.group_store import Patients
from services.intake.identities import Identities, settle
from services.intake.message import Outcome, Reason, StayFact, Verdict
from services.intake.sealing import Seal
from services.intake.sequence import all_follow
from services.intake.store import Opened
from services.intake.triggers import ALONE
from shared.events.people import Identifier
from shared.metrics import MESSAGES, OVERLAYS_SUSPECTED
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


class ChangedMeanwhileError(Exception):
    """What was read without locks is not enough, or no longer so."""


# Somebody else was in the way: the same again will do.
CONFLICTS = (
    ChangedMeanwhileError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.UniqueViolationError,
)
# Nothing is wrong with a message that has to wait for these, however long.
LOCKED = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
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
        plain = [arrival for arrival in group if _is_plain(arrival)]
        if plain and len(plain) < len(group):
            others = [arrival for arrival in group if not _is_plain(arrival)]
            return [*await self.commit(plain), *await self.commit(others)]
        try:
            effects, busy = await (self._at_once(group) if plain and attempt == 1 else self._under_locks(group))
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
        if len(group) == 1 and isinstance(error, LOCKED):
            return list(group)
        log.error("group failed", error=error, count=len(group), message_id=group[0].id)
        if len(group) > 1:
            middle = len(group) // 2
            return [*await self.commit(group[:middle]), *await self.commit(group[middle:])]
        arrival = group[0]
        if arrival.verdict is RULE_FAILED or arrival.refusal:
            # Not even the bare bytes could be stored: it is the sender's still, or waits where it was kept.
            arrival.done.cancel()
            return []
        arrival.verdict, arrival.adt = RULE_FAILED, None
        return await self.commit(group)

    async def _at_once(self, group: Sequence[Arrival]) -> tuple[list[Effect], list[Arrival]]:
        """Two round trips, without locks between them. Raises one of CONFLICTS when something changed meanwhile."""
        connection = self._connection
        records, proposals = self._identities.sort_out(adt.identifiers for arrival in group if (adt := arrival.adt))
        opened = await group_store.look_up(connection, proposals, records.values(), group)
        settled = settle(proposals, opened.records)
        learned = {one: record for one, record in settled.items() if one not in opened.records}
        records |= settled
        new = {p.record for p in proposals}.intersection(learned.values())
        opened.chart.surviving.update((record, record) for record in new)
        effects, ready, busy = _sort_out(group, records, opened)
        if busy or renumbering.is_needed(opened.chart) or opened.chart.has_redirected:
            # Where a record leads to another one, that may change too, and only a lock holds it.
            raise ChangedMeanwhileError
        await _load_older_facts(connection, ready, opened)
        for arrival in ready:
            effects.append(opened.chart.take(arrival, next(records[one] for one in _named(arrival))))
            # Who is to be answered comes first; nothing is locked meanwhile.
            await asyncio.sleep(0)
        known = set(opened.chart.surviving.values()) - new
        fresh, repeated = _fresh_and_repeated(effects)
        has_published = await group_store.write(
            connection, self._database.service, Patients(learned, new, known), opened.chart, fresh, repeated, self._seal
        )
        if has_published:
            self._database.published.set()
        self._identities.keep(settled)
        return effects, []

    async def _under_locks(self, group: Sequence[Arrival]) -> tuple[list[Effect], list[Arrival]]:
        """One transaction. Answers what took effect, and what is busy elsewhere, its patients or itself."""
        async with self._database.transaction(self._connection) as tx:
            group, elsewhere, done_elsewhere = await _still_to_do(tx, group)
            adts = [part for arrival in group if arrival.adt for part in arrival.adt.parts]
            records, proposals = self._identities.sort_out(
                [*(adt.identifiers for adt in adts), *(adt.retired for adt in adts if adt.retired)]
            )
            learned = await store.identify(tx.connection, proposals) if proposals else {}
            records |= learned
            named = _subjects(group, records)
            again = [adt.visit for arrival in group if arrival.is_replay and (adt := arrival.adt) and adt.visit]
            whose = await move_store.owners(tx.connection, again) if again else set()
            opened = await store.open_group(tx.connection, sorted(named | whose), group)
            if again:
                opened.chart.ways = await move_store.ways(tx.connection, sorted(named))
            effects, ready, busy = _sort_out(group, records, opened)
            await renumbering.follow(tx, opened.chart)
            await _load_older_facts(tx.connection, ready, opened)
            opened.chart.standings = await standing_store.load(tx.connection, _stated(ready))
            for arrival in ready:
                effects.append(await _apply(tx, arrival, records, opened))
            fresh, repeated = _fresh_and_repeated(effects)
            await group_store.store(tx.connection, opened.chart, fresh, repeated, self._seal)
            await standing_store.save(tx.connection, opened.chart.standings)
            await tx.publish([draft for effect in fresh for draft in effect.drafts])
        self._identities.keep(learned)
        for arrival in done_elsewhere:
            arrival.done.set_result(DUPLICATE)
        return effects, [*elsewhere, *busy]


async def _still_to_do(tx: Transaction, group: Sequence[Arrival]) -> tuple[list[Arrival], list[Arrival], list[Arrival]]:
    """What of the group is to be done, what another process is interpreting just now, and what one has interpreted."""
    kept = [arrival.id for arrival in group if arrival.is_kept]
    free, taken = await keep_store.free_and_taken(tx.connection, kept) if kept else (set(), set())
    here: list[Arrival] = []
    busy: list[Arrival] = []
    gone: list[Arrival] = []
    for one in group:
        (here if not one.is_kept or one.id in free else busy if one.id in taken else gone).append(one)
    return here, busy, gone


def _is_plain(arrival: Arrival) -> bool:
    """Whether it says something of one patient's stay at most, for the first time."""
    adt = arrival.adt
    return not (arrival.is_replay or (adt and (adt.trigger in ALONE or adt.others or adt.statements)))


def _subjects(group: Sequence[Arrival], records: Records) -> set[str]:
    return {records[one] for arrival in group for one in _named(arrival)}


def _fresh_and_repeated(effects: Sequence[Effect]) -> tuple[list[Effect], list[Arrival]]:
    fresh = [effect for effect in effects if effect.verdict is not DUPLICATE]
    return fresh, [effect.arrival for effect in effects if effect.verdict is DUPLICATE]


def _settle(effects: Sequence[Effect]) -> None:
    counts = Counter((effect.arrival.feed_name, effect.verdict.outcome.value) for effect in effects)
    for labels, count in counts.items():
        MESSAGES.labels(*labels).inc(count)
    for effect in effects:
        if effect.verdict.reason is Reason.OVERLAY_SUSPECTED:
            OVERLAYS_SUSPECTED.labels(effect.arrival.feed_name).inc()
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
        if arrival.key in seen and not (arrival.is_replay or arrival.refusal):
            effects.append(Effect(arrival, DUPLICATE))
        elif verdict and verdict.is_refusal:
            effects.append(Effect(arrival, verdict))
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
    adt, chart = arrival.adt, opened.chart
    named = [records[one] for one in _named(arrival)]
    if adt and adt.trigger in ALONE:
        return await solitary.take(tx, chart, arrival, named)
    return chart.take_parts(arrival, named) if adt and adt.others else chart.take(arrival, named[0])


async def _load_older_facts(connection: "Connection", ready: Sequence[Arrival], opened: Opened) -> None:
    """What does not only add to what is known of a stay (late, or of a known movement) needs all its facts."""
    facts: dict[Identifier, list[StayFact]] = {}
    for part in (part for arrival in ready if arrival.adt for part in arrival.adt.parts):
        visit = opened.chart.visit_of(part)
        if visit and part.fact and visit in opened.chart.stays:
            facts.setdefault(visit, []).append(part.fact)
    late: dict[UUID, Stay] = {}
    for visit, told in facts.items():
        stay = opened.chart.stays[visit]
        if not all_follow(stay.state, told):
            late[stay.identity.id] = stay
    if late:
        await store.load_facts(connection, late)

"""Finding candidates: what groups have queued, in batches, after the commit and beside the hot path."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

import asyncpg

from services.intake.identity import store
from services.intake.identity.blocking import keys_of
from services.intake.identity.scoring import Grade, Score, score
from services.intake.identity.store import Keyed, Pair
from services.intake.identity.traits import Traits, traits_of
from services.intake.identity.weights import Weights
from services.intake.patient import record_from_json, values_of
from shared.metrics import PATIENTS_MATCHED, WORK_ALIVE
from shared.postgres import Database, Transaction
from shared.telemetry import log

BATCH = 50
"""Small, since the rules run in the process that takes messages: a batch holds its loop for some milliseconds."""
IDLE_S = 1.0
BREATH_S = 0.05
RESTS = 9.0
"""How much longer than a batch took the worker rests after it: taking messages in comes first, on the same core."""
RETRY_S = 5.0
Linker = Callable[[], Awaitable[int]]
"""Links what is certain; answers how many pairs it looked at."""
LINKING, REVIEW, UNMATCHED = "linking", "review", "unmatched"
STATES = (LINKING, REVIEW)


class Matching:
    """The worker. `auto_link` says whether certain pairs are linked without a person; else they are reviewed."""

    def __init__(self, database: Database, weights: Weights, *, auto_link: bool) -> None:
        self._database = database
        self.weights = weights
        self.auto_link = auto_link

    async def run(self, link: Linker) -> None:
        """Works the queue off until cancelled; a store that is away is waited for."""
        while True:
            began = time.monotonic()
            try:
                found = await self.match_batch()
                await link()
                pause = max(BREATH_S, RESTS * (time.monotonic() - began)) if found else IDLE_S
                WORK_ALIVE.labels("identity").set_to_current_time()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                log.warning("matching failed", error=error, retry_in=RETRY_S)
                pause = RETRY_S
            except Exception as error:  # noqa: BLE001  (a record that the rules fail on must not stop the feeds)
                log.error("matching failed", error=error, retry_in=RETRY_S)
                pause = RETRY_S
            await asyncio.sleep(pause)

    async def match_batch(self) -> int:
        """One batch, one transaction; answers how many patients were looked at."""
        async with self._database.transaction() as tx:
            # Nothing is told here, and what a crash loses stays in the queue.
            await tx.connection.execute("SET LOCAL synchronous_commit = off")
            queued = await store.take(tx.connection, BATCH)
            if queued:
                await self._match(tx, queued)
        return len(queued)

    async def _match(self, tx: Transaction, queued: Sequence[str]) -> None:
        patients = set((await store.survivors(tx.connection, set(queued))).values())
        people = await load_traits(tx, patients)
        keyed = [
            Keyed(key, who) for who, person in people.items() for key in keys_of(person, self.weights.placeholders)
        ]
        if not keyed:
            return
        await store.add_keys(tx.connection, keyed)
        pairs = await store.candidates(tx.connection, keyed, self.weights.block_most)
        states = await self._keep(tx, pairs, people) if pairs else {}
        for found, count in _found(people, states).items():
            PATIENTS_MATCHED.labels(found).inc(count)

    async def _keep(self, tx: Transaction, pairs: Sequence[Pair], people: Mapping[str, Traits]) -> dict[Pair, str]:
        """How the pairs stand that may be one person."""
        known = await store.decided(tx.connection, pairs)
        open_pairs = [pair for pair in pairs if pair not in known]
        others = {who for pair in open_pairs for who in pair} - people.keys()
        everyone = {**people, **await load_traits(tx, others)}
        scores = self.scores(open_pairs, everyone)
        kept = {pair: (self._state(pair, scores), one) for pair, one in scores.items()}
        if kept:
            await store.keep_pairs(tx.connection, kept, self.weights.version)
        dropped = [pair for pair in open_pairs if pair not in kept]
        if dropped:
            await store.drop_pairs(tx.connection, dropped)
        return {pair: state for pair, (state, _) in kept.items()}

    def scores(self, pairs: Iterable[Pair], people: Mapping[str, Traits]) -> dict[Pair, Score]:
        """Of those that reach the review's threshold. Within one authority its own word (A40) is awaited."""
        found: dict[Pair, Score] = {}
        for pair in pairs:
            one, other = people.get(pair.one), people.get(pair.other)
            if one is None or other is None or one.authorities & other.authorities:
                continue
            scored = score(one, other, self.weights)
            if scored and scored.grade is not Grade.CERTAINLY_NOT:
                found[pair] = scored
        return found

    def _state(self, pair: Pair, scores: Mapping[Pair, Score]) -> str:
        is_certain = scores[pair].grade is Grade.CERTAIN and self.auto_link
        return LINKING if is_certain and not _has_rival(pair, scores) else REVIEW


def _found(people: Iterable[str], states: Mapping[Pair, str]) -> Counter[str]:
    """What was found for each of these patients, the most certain first."""
    by_state = {wanted: {who for pair, state in states.items() if state == wanted for who in pair} for wanted in STATES}
    return Counter(next((state for state in STATES if who in by_state[state]), UNMATCHED) for who in people)


def _has_rival(pair: Pair, scores: Mapping[Pair, Score]) -> bool:
    """Whether someone else is certainly one of the two but not the other: which one, only a person can tell."""
    certain = {frozenset(other) for other, found in scores.items() if found.grade is Grade.CERTAIN}
    thirds = {who for other in certain if other & set(pair) for who in other} - set(pair)
    return any(frozenset({third, who}) not in certain for third in thirds for who in pair)


async def load_traits(tx: Transaction, patients: set[str]) -> dict[str, Traits]:
    """The traits of those that have a record."""
    if not patients:
        return {}
    kept = await store.records(tx.connection, patients)
    return {who: traits_of(values_of(record_from_json(record))) for who, record in kept.items()}

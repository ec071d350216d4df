"""Taking a batch of events into effect: one transaction for locks, watermarks, the handlers' work and the position.

Whatever order and however often a batch comes, each event has its effect once and in order per patient; what cannot be
applied yet (a gap, a merge whose other half is still to come, a parked patient) is kept as a row.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.events import AnyEvent, Draft, Topic, Unheard
from shared.events.operations import RepublishRequested
from shared.kafka import store
from shared.kafka.records import Hearing
from shared.kafka.sequence import Mark, Verdict, judge, reached
from shared.kafka.store import Block, Parked, StreamKey
from shared.postgres import Transaction

Handler = Callable[[Transaction, Sequence[AnyEvent]], Awaitable[None]]


@dataclass(slots=True)
class Sorted:
    """A batch, told apart: what applies now, what is parked and why, how far each stream is then."""

    fresh: list[AnyEvent] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    blocks: dict[str, Block] = field(default_factory=dict)
    awaited: set[str] = field(default_factory=set)
    marks: dict[StreamKey, Mark] = field(default_factory=dict)
    duplicates: list[AnyEvent] = field(default_factory=list)

    def counted(self) -> Iterator[tuple[str, str, int]]:
        """(topic, outcome, events), for the counters."""
        fates = {"applied": self.fresh, "parked": [p.event for p in self.parked], "duplicate": self.duplicates}
        for outcome, events in fates.items():
            for topic, count in Counter(event.topic for event in events).items():
                yield topic, outcome, count


def stream_of(event: AnyEvent) -> StreamKey:
    return (event.source, event.topic, event.subject)


def barrier_of(event: AnyEvent) -> tuple[StreamKey, Mark] | None:
    if event.after is None:
        return None
    return (event.source, event.topic, event.after.subject), Mark(event.epoch, event.after.sequence)


def sort_batch(
    batch: Sequence[Parked], known: Mapping[StreamKey, Mark], blocked: Mapping[str, str], *, joins_late: bool
) -> Sorted:
    """Pure: the fate of every event of the batch, in order."""
    out = Sorted()
    for item in in_turn(batch):
        event = item.event
        key = stream_of(event)
        verdict = judge(event, out.marks.get(key, known.get(key)), joins_late=joins_late)
        if verdict is Verdict.DUPLICATE:
            out.duplicates.append(event)
            continue
        if event.subject in blocked or event.subject in out.blocks:
            out.parked.append(item)
            why = out.blocks.get(event.subject)
            if verdict is Verdict.FRESH and (why.reason if why else blocked[event.subject]) == "gap":
                out.awaited.add(event.subject)
            continue
        barrier = barrier_of(event)
        there = barrier and (out.marks.get(barrier[0]) or known.get(barrier[0]))
        why = obstacle(event, verdict, barrier if there or not joins_late else None, there or None)
        if why is None:
            out.fresh.append(event)
            out.marks[key] = Mark(event.epoch, event.sequence)
        else:
            out.parked.append(item)
            out.blocks[event.subject] = why
    return out


def in_turn(batch: Sequence[Parked]) -> Sequence[Parked]:
    """The batch, with a survivor's events behind what they wait for where the batch brought both the other way round.

    Partitions come in any order, so that is every other merge; parking them all would keep the drainer busy.
    """
    if not any(item.event.after for item in batch):
        return batch
    places = {(stream_of(item.event), item.event.epoch, item.event.sequence): n for n, item in enumerate(batch)}
    put_off: set[str] = set()
    first: list[Parked] = []
    last: list[Parked] = []
    for place, item in enumerate(batch):
        barrier = barrier_of(item.event)
        if barrier and places.get((barrier[0], barrier[1].epoch, barrier[1].sequence), -1) > place:
            put_off.add(item.event.subject)
        (last if item.event.subject in put_off else first).append(item)
    return [*first, *last]


def obstacle(
    event: AnyEvent, verdict: Verdict, barrier: tuple[StreamKey, Mark] | None, there: Mark | None
) -> Block | None:
    """Why a fresh-looking event must wait. `there` is how far the stream that it waits for has come."""
    if verdict is Verdict.GAP:
        return Block("gap", f"events before number {event.sequence} of {event.topic} have not come")
    if barrier and not reached(there, barrier[1].epoch, barrier[1].sequence):
        return Block("awaiting-merge", "the retired patient's own events have not all taken effect", barrier)
    return None


@dataclass(frozen=True, slots=True)
class Applier:
    """Applies batches for one consumer. `handlers` by topic; topics without one are only followed."""

    consumer: str
    service: str
    handlers: Mapping[Topic, Handler]
    hearing: Hearing
    joins_late: bool = False

    async def apply(self, tx: Transaction, batch: Sequence[Parked]) -> Sorted:
        """Takes the batch into effect inside `tx`, all but its marks. Whatever a handler raises leaves it."""
        events = [item.event for item in batch]
        barriers = [barrier[0] for event in events if (barrier := barrier_of(event))]
        heard = {event.subject for event in events}
        known = await store.take_up(tx, self.consumer, concerned(events), heard, {*map(stream_of, events), *barriers})
        fate = sort_batch(batch, known.marks, known.blocked, joins_late=self.joins_late)
        await self.handle(tx, fate.fresh)
        await self._keep(tx, fate, known.marks)
        return fate

    async def handle(self, tx: Transaction, events: Sequence[AnyEvent]) -> None:
        """Hands each topic's events, in order, to its handler."""
        by_topic: dict[str, list[AnyEvent]] = {}
        for event in events:
            if not isinstance(event.fact, Unheard):
                by_topic.setdefault(event.topic, []).append(event)
        for topic, heard in by_topic.items():
            handler = self.handlers.get(Topic(topic))
            if handler:
                await handler(tx, heard)

    async def _keep(self, tx: Transaction, fate: Sorted, known: Mapping[StreamKey, Mark]) -> None:
        if not fate.parked:
            return
        await store.park(tx.connection, self.consumer, fate.parked)
        for subject, why in fate.blocks.items():
            await store.block(tx.connection, self.consumer, subject, why)
            if why.waits_for and _came_later(why.waits_for, fate.marks):
                fate.awaited.add(subject)
        if fate.awaited:
            await store.wake(tx.connection, self.consumer, sorted(fate.awaited))
        gaps = [item.event for item in fate.parked if _is_gap(item.event, fate)]
        await tx.publish([self.ask_again(event, known.get(stream_of(event))) for event in gaps])

    def ask_again(self, event: AnyEvent, mark: Mark | None) -> Draft:
        """The request to the source to publish this patient again, from the first event that is missing."""
        first = mark.sequence + 1 if mark and mark.epoch == event.epoch else 1
        fact = RepublishRequested(
            source=event.source,
            topic=event.topic,
            subject=event.subject,
            epoch=event.epoch,
            from_sequence=first,
            asked_by=self.consumer,
        )
        now = datetime.now(UTC)
        return Draft(
            fact=fact, subject=event.subject, time=now, correlation_id=event.correlation_id, causation_id=str(event.id)
        )


def _is_gap(event: AnyEvent, fate: Sorted) -> bool:
    """Whether this event is the one that opened a gap: one request a patient, not one for each that follows."""
    why = fate.blocks.get(event.subject)
    if why is None or why.reason != "gap":
        return False
    first = next(item.event for item in fate.parked if item.event.subject == event.subject)
    return first is event


def _came_later(awaited: tuple[StreamKey, Mark], marks: Mapping[StreamKey, Mark]) -> bool:
    """Whether the same batch brought what this key waits for, after it: nothing else would ever wake the key."""
    stream, mark = awaited
    return reached(marks.get(stream), mark.epoch, mark.sequence)


def concerned(events: Sequence[AnyEvent]) -> set[str]:
    subjects: set[str] = set()
    for event in events:
        subjects.add(event.subject)
        subjects.update(event.fact.concerns())
        if event.after:
            subjects.add(event.after.subject)
    return subjects

"""The outboxes against themselves and against what Kafka gives back. Pure."""

from collections import defaultdict
from collections.abc import Iterator

from deploy.reconciler.books import Books, Finding

Stream = tuple[str, str, str, int]


def numbered_without_gaps(books: Books) -> Iterator[Finding]:
    """Per (source, topic, subject, epoch), in the order of rows: 1, 2, 3 …"""
    last: dict[Stream, int] = defaultdict(int)
    for event in books.events:
        if event.sequence != last[event.stream] + 1:
            yield Finding(event.id, f"number {event.sequence} follows {last[event.stream]} in {event.topic}")
        last[event.stream] = event.sequence


def everything_in_kafka(books: Books) -> Iterator[Finding]:
    """What was said is in Kafka (as far as its log goes back), and nothing else is."""
    read = {record.event_id for record in books.records}
    said = {event.id for event in books.events}
    for event in books.events:
        if not event.published:
            yield Finding(event.id, f"{event.type} is not published")
        elif event.in_log and event.id not in read:
            yield Finding(event.id, f"{event.type} is not in Kafka")
    yield from (Finding(stranger, "is in Kafka, and nobody said it") for stranger in sorted(read - said))


def in_order_in_kafka(books: Books) -> Iterator[Finding]:
    """A reader that only ever moves forward sees each number before the next; repeats of earlier ones are harmless."""
    reached = _before_the_log(books)
    places: dict[tuple[str, str], int] = {}
    numbers: dict[tuple[Stream, int], str] = {}
    for record in sorted(books.records, key=lambda one: (one.topic, one.partition, one.offset)):
        if places.setdefault((record.topic, record.subject), record.partition) != record.partition:
            yield Finding(record.event_id, f"the key stands in two partitions of {record.topic}")
        if numbers.setdefault((record.stream, record.sequence), record.event_id) != record.event_id:
            yield Finding(record.event_id, f"number {record.sequence} was given twice in {record.topic}")
        if record.sequence > reached[record.stream] + 1:
            yield Finding(
                record.event_id,
                f"number {record.sequence} stands before {reached[record.stream] + 1} in {record.topic}",
            )
        reached[record.stream] = max(reached[record.stream], record.sequence)


def _before_the_log(books: Books) -> dict[Stream, int]:
    """Where a stream that began in an earlier log goes on in this one: what lies before the first number it holds."""
    before: dict[Stream, int] = defaultdict(int)
    for event in books.events:
        if not event.in_log and before[event.stream] == event.sequence - 1:
            before[event.stream] = event.sequence
    return before

"""What providers had to be told against what was queued, and that against what their servers really got. Pure."""

from collections import defaultdict
from collections.abc import Iterator

from deploy.reconciler.books import OPEN_DELIVERIES, Books, Event, Finding, Received

ANNOUNCING = frozenset({"care.encounter.admitted.v1", "care.encounter.discharged.v1"})
ARRIVED, EMERGENCY = "care.encounter.arrived.v1", "EMER"
QUIET = frozenset({"AMB", "PRENC"})
DONE = frozenset({"delivered", "acknowledged"})
NOTICE = "care.provider.notice.v1"


def everyone_told(books: Books) -> Iterator[Finding]:
    """Who listens to everything has a delivery of every announced event, or a row that says why not."""
    queued = {(one.endpoint_id, one.event_id) for one in books.deliveries}
    for event in books.of("intake"):
        if not is_announced(event) or event.id in books.suppressed:
            continue
        for endpoint, since in books.everything.items():
            if event.recorded > since and (endpoint, event.id) not in queued:
                yield Finding(event.id, f"{event.type} was not queued for endpoint {endpoint}")


def received_as_delivered(books: Books) -> Iterator[Finding]:
    """Each delivery that counts as delivered was received, each that was dropped was not, and nothing else came."""
    received = {one.webhook_id for one in books.received}
    known = set()
    for delivery in books.deliveries:
        known.add(delivery.id)
        if delivery.status in OPEN_DELIVERIES:
            yield Finding(delivery.id, f"is still {delivery.status}")
        elif delivery.status == "failed":
            yield Finding(delivery.id, "failed for good")
        elif delivery.endpoint_id not in books.listening:
            continue
        elif delivery.status in DONE and delivery.id not in received:
            yield Finding(delivery.id, "counts as delivered, and was never received")
        elif delivery.status == "retracted" and not delivery.reached and delivery.id in received:
            yield Finding(delivery.id, "was dropped before it was sent, and was received")
    yield from (Finding(stranger, "was received, and is no delivery") for stranger in sorted(received - known))


def received_once(books: Books) -> Iterator[Finding]:
    """A repeat keeps its webhook-id and its content, so that a receiver that remembers ids acts once."""
    content: dict[str, tuple[object, ...]] = {}
    identity: dict[tuple[str, str], str] = {}
    for one in books.received:
        said = (one.endpoint_id, one.event_id, one.retracts)
        if content.setdefault(one.webhook_id, said) != said:
            yield Finding(one.webhook_id, "came again with other content")
        if identity.setdefault((one.endpoint_id, one.event_id), one.webhook_id) != one.webhook_id:
            yield Finding(one.webhook_id, f"event {one.event_id} came twice under different ids")


def received_in_order(books: Books) -> Iterator[Finding]:
    """Of one stay, an endpoint hears in the order in which it was queued."""
    positions = {one.id: one.position for one in books.deliveries}
    lanes = {one.id: (one.endpoint_id, one.patient_id, one.encounter_id) for one in books.deliveries}
    reached: dict[tuple[str, str, str], int] = defaultdict(int)
    for one in _first_receipts(books):
        lane = lanes.get(one.webhook_id)
        if lane is None:
            continue
        if positions[one.webhook_id] < reached[lane]:
            yield Finding(one.webhook_id, "was received after a later notice of the same stay")
        reached[lane] = max(reached[lane], positions[one.webhook_id])


def retractions_to_those_told(books: Books) -> Iterator[Finding]:
    """Whoever got what was taken back is told so, and nobody else."""
    got: dict[str, set[str]] = defaultdict(set)
    for one in _first_receipts(books):
        for unknown in sorted(set(one.retracts) - got[one.endpoint_id]):
            yield Finding(one.webhook_id, f"takes back {unknown}, which endpoint {one.endpoint_id} never got")
        got[one.endpoint_id].add(one.event_id)
    taken_back = {(one.endpoint_id, event_id) for one in books.received for event_id in one.retracts}
    for event in books.of("intake"):
        for original in event.retracts:
            for endpoint in sorted(books.listening):
                if original in got[endpoint] and (endpoint, original) not in taken_back:
                    yield Finding(original, f"was taken back, and endpoint {endpoint} was not told")


def topics_as_delivered(books: Books) -> Iterator[Finding]:
    """A delivery to an organisation's own topic is one event there, and the other way round."""
    there = [event.about for event in books.of("notifications") if event.type == NOTICE]
    wanted = {one.id for one in books.deliveries if one.channel == "kafka" and one.status in DONE}
    if len(there) != len(set(there)):
        yield from (Finding(one, "stands twice in the topic") for one in sorted(set(there)) if there.count(one) > 1)
    yield from (Finding(one, "is delivered, and not in the topic") for one in sorted(wanted - set(there)))


def is_announced(event: Event) -> bool:
    if event.historical or event.encounter_class in QUIET:
        return False
    return event.type in ANNOUNCING or (event.type == ARRIVED and event.encounter_class == EMERGENCY)


def _first_receipts(books: Books) -> Iterator[Received]:
    seen: set[str] = set()
    for one in sorted(books.received, key=lambda one: one.order):
        if one.webhook_id not in seen:
            seen.add(one.webhook_id)
            yield one

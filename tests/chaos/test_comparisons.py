"""Every comparison can turn red: the books of a real run, with one entry changed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from deploy.reconciler.books import Books, Received, Record, Stuck
from deploy.reconciler.verdict import CHECKS, reconcile
from tests.chaos.conftest import Rested

pytestmark = [pytest.mark.xdist_group("chaos"), pytest.mark.timeout(600)]

Spoil = Callable[[Books], Books]


def with_book(books: Books, name: str, entries: tuple[Any, ...]) -> Books:
    book: dict[str, Any] = {name: entries}
    return replace(books, **book)


def changed(name: str, wanted: Callable[[Any], bool] = lambda _one: True, **fields: Any) -> Spoil:
    """The first entry of a book that is wanted, with these fields changed."""

    def spoil(books: Books) -> Books:
        entries = list(getattr(books, name))
        place = next(i for i, one in enumerate(entries) if wanted(one))
        entries[place] = replace(entries[place], **fields)
        return with_book(books, name, tuple(entries))

    return spoil


def without(name: str, wanted: Callable[[Any], bool] = lambda _one: True) -> Spoil:
    def spoil(books: Books) -> Books:
        entries = list(getattr(books, name))
        entries.remove(next(one for one in entries if wanted(one)))
        return with_book(books, name, tuple(entries))

    return spoil


def twice(name: str, **fields: Any) -> Spoil:
    def spoil(books: Books) -> Books:
        entries = getattr(books, name)
        return with_book(books, name, (*entries, replace(entries[0], **fields)))

    return spoil


def with_more(name: str, *entries: Any) -> Spoil:
    return lambda books: with_book(books, name, (*getattr(books, name), *entries))


def swapped_receipts(books: Books) -> Books:
    """The first two notices of one stay to one endpoint, the other way round."""
    lanes: dict[Any, list[Received]] = {}
    by_id = {one.id: one for one in books.deliveries}
    for one in books.received:
        delivery = by_id[one.webhook_id]
        lane = lanes.setdefault((delivery.endpoint_id, delivery.patient_id, delivery.encounter_id), [])
        lane.append(one)
    first, second = next(lane for lane in lanes.values() if len(lane) > 1)[:2]
    orders = {first: second.order, second: first.order}
    return replace(books, received=tuple(replace(one, order=orders.get(one, one.order)) for one in books.received))


def first_comes_last(books: Books) -> Books:
    """The first event of a stream that has several stands behind the others."""
    several = next(one.stream for one in books.records if one.sequence > 1)
    return changed("records", lambda one: one.stream == several and one.sequence == 1, offset=10**9)(books)


def first_is_missing(books: Books) -> Books:
    """The first event of a stream that has several is not there."""
    several = next(one.stream for one in books.events if one.sequence > 1)
    return without("events", lambda one: one.stream == several)(books)


def taken_back_silently(books: Books) -> Books:
    """An event that was received is taken back, and nobody is told."""
    original = books.received[0].event_id
    return changed("events", lambda one: one.source == "intake" and one.about, retracts=(original,))(books)


SPOILT: dict[str, list[Spoil]] = {
    "acknowledged = stored": [without("messages"), changed("messages", outcome="held", reason="rule-failed")],
    "stored once": [twice("messages", id="another")],
    "stays as sent": [
        without("encounters"),
        changed("encounters", lambda one: one.status == "finished", status="in-progress"),
        twice("encounters", id="another"),
        twice("encounters", visit="nobody's"),
    ],
    "stays folded once": [changed("encounters", version=99), changed("encounters", facts=())],
    "effects of messages = said": [
        changed("messages", lambda one: one.effects, effects=()),
        without("events", lambda one: one.source == "intake" and one.about),
    ],
    "announced = said and standing": [changed("encounters", announced=("never-said",))],
    "transitions as encounters": [
        without("transitions"),
        changed("transitions", lambda one: one.status == "following", status="revoked"),
        changed("transitions", encounter_version=0),
        twice("transitions", id="another"),
        twice("transitions", encounter_id="nobody's"),
    ],
    "tasks as told": [without("tasks"), changed("tasks", version=99), twice("tasks", id="another")],
    "plans as told": [without("plans"), changed("plans", lambda one: one.plan_id, plan_version=99)],
    "nothing said twice": [
        lambda books: twice("events", id="another")(
            replace(books, events=tuple(one for one in books.events if one.about))
        )
    ],
    "taken into effect": [changed("marks", sequence=0), without("marks")],
    "nothing stuck": [with_more("stuck", Stuck("careplan", "parked (failed)", "somebody"))],
    "outboxes without gaps": [first_is_missing, changed("events", sequence=99)],
    "outboxes = Kafka": [
        without("records"),
        changed("events", published=False),
        with_more("records", Record("care.plans.v1", 0, 10**9, "careplan", "stranger", "nobody", 1, 1)),
    ],
    "order in Kafka": [
        first_comes_last,
        changed("records", lambda one: one.sequence > 1, partition=99),
        twice("records", event_id="another"),
    ],
    "everyone told": [lambda books: replace(books, deliveries=())],
    "delivered = received": [
        without("received"),
        changed("deliveries", status="queued"),
        changed("deliveries", status="failed"),
        twice("received", webhook_id="stranger", event_id="another"),
    ],
    "received once": [twice("received", webhook_id="another"), twice("received", event_id="another")],
    "received in order": [swapped_receipts],
    "retracted to those told": [changed("received", retracts=("never-got",)), taken_back_silently],
    "topics of providers": [
        lambda books: replace(books, events=tuple(one for one in books.events if "provider" not in one.topic))
    ],
}
CASES = [(name, number) for name, spoils in SPOILT.items() for number in range(len(spoils))]


def test_every_comparison_is_tried() -> None:
    assert {check.name for check in CHECKS} == set(SPOILT)


@pytest.mark.parametrize(("name", "number"), CASES, ids=lambda value: str(value).replace(" ", "-"))
async def test_a_spoilt_entry_turns_it_red(rested: Rested, name: str, number: int) -> None:
    result = next(one for one in reconcile(SPOILT[name][number](rested.books)) if one.check.name == name)
    assert result.findings


def test_a_log_that_began_anew_is_no_fault(rested: Rested) -> None:
    """An in-memory broker was started again: what every reader had is not published a second time."""
    stream = next(one.stream for one in rested.books.events if one.sequence > 2)
    old = {one.id for one in rested.books.events if one.stream == stream and one.sequence <= 2}
    events = tuple(replace(one, in_log=one.id not in old) for one in rested.books.events)
    records = tuple(one for one in rested.books.records if one.event_id not in old)
    results = reconcile(replace(rested.books, events=events, records=records))
    assert [result.check.name for result in results if result.findings] == []

from datetime import UTC, datetime, timedelta, timezone
from uuid import NAMESPACE_DNS, uuid5

import pytest

from shared.events import FACTS, UNHEARD, Barrier, Draft, UnreadableEventError, headers_of, id_beside, read_event, uuid7
from shared.events.operations import FeedCounted

NOW = datetime(2026, 3, 6, 15, 0, tzinfo=timezone(timedelta(hours=-6)))


def draft() -> Draft:
    return Draft(
        fact=FeedCounted(feed="f", minute=NOW, total=3), subject="p", time=NOW, correlation_id="c", causation_id="m",
        version=4, late=True,
    )  # fmt: skip


def test_what_is_said_is_read_again() -> None:
    said = draft()
    after = Barrier(subject="r", sequence=7)
    headers = headers_of(said, source="intake", sequence=12, epoch=2, recorded=NOW, after=after)
    event = read_event("care.feeds.v1", headers, said.fact.model_dump_json().encode())
    assert event is not None
    assert (event.id, event.source, event.subject, event.sequence, event.epoch) == (said.id, "intake", "p", 12, 2)
    assert (event.late, event.inferred, event.version, event.after) == (True, False, 4, after)
    assert event.time == datetime(2026, 3, 6, 21, 0, tzinfo=UTC)
    assert event.fact == said.fact


def test_the_sequence_sorts_as_text() -> None:
    first, second = (dict(headers_of(draft(), source="s", sequence=n, epoch=1, recorded=NOW)) for n in (9, 10))
    assert first["ce_patientsequence"] < second["ce_patientsequence"]


def test_an_unknown_type_is_nothing_to_do() -> None:
    assert read_event("t", [("ce_type", b"care.newer.thing.v1")], b"{}") is None


def test_a_type_that_a_reader_skips_is_counted_and_its_value_not_read() -> None:
    headers = headers_of(draft(), source="s", sequence=3, epoch=1, recorded=NOW)
    event = read_event("care.feeds.v1", headers, b"not JSON", skips=lambda kind: kind == FeedCounted.TYPE)
    assert event is not None
    assert (event.sequence, event.fact) == (3, UNHEARD)


def test_a_reader_that_counts_counts_a_type_it_does_not_know_too() -> None:
    headers = [*headers_of(draft(), source="s", sequence=3, epoch=1, recorded=NOW), ("ce_type", b"care.newer.thing.v1")]
    event = read_event("t", headers, b"{}", skips=lambda _: False)
    assert event is not None
    assert (event.type, event.sequence, event.fact) == ("care.newer.thing.v1", 3, UNHEARD)


@pytest.mark.parametrize("missing", ["ce_type", "ce_id", "ce_subject", "ce_patientsequence", "ce_time"])
def test_a_missing_attribute_is_named(missing: str) -> None:
    headers = [h for h in headers_of(draft(), source="s", sequence=1, epoch=1, recorded=NOW) if h[0] != missing]
    with pytest.raises(UnreadableEventError, match=missing):
        read_event("care.feeds.v1", headers, draft().fact.model_dump_json().encode())


def test_a_value_that_does_not_fit_is_told_without_its_content() -> None:
    headers = headers_of(draft(), source="s", sequence=1, epoch=1, recorded=NOW)
    with pytest.raises(UnreadableEventError) as told:
        read_event("care.feeds.v1", headers, b'{"feed": "DOE^JANE"}')
    assert "JANE" not in str(told.value)


def test_uuid7_sorts_by_time_and_says_its_version() -> None:
    ids = [uuid7() for _ in range(200)]
    assert all(one.version == 7 and one.variant == "specified in RFC 4122" for one in ids)
    assert [one.int >> 80 for one in ids] == sorted(one.int >> 80 for one in ids)


def test_an_id_beside_another_begins_with_its_time_and_follows_from_it_and_a_name() -> None:
    parent = uuid7()
    child = id_beside(parent, "care-plan")
    assert (child.version, child.variant) == (8, "specified in RFC 4122")
    assert child.int >> 80 == parent.int >> 80
    assert child == id_beside(parent, "care-plan")
    assert len({child, id_beside(parent, "other"), id_beside(uuid7(), "care-plan"), parent}) == 4
    assert id_beside(child, "again").int >> 80 == parent.int >> 80


def test_an_id_beside_a_digest_is_a_digest() -> None:
    parent = uuid5(NAMESPACE_DNS, "stay")
    assert id_beside(parent, "task") == uuid5(parent, "task")


def test_every_type_is_named_once_and_versioned() -> None:
    names = [fact.TYPE for fact in FACTS]
    assert len(set(names)) == len(names)
    assert all(name.startswith("care.") and name.endswith(".v1") for name in names)

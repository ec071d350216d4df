"""JSON events: each type has the rule of a trigger, and what does not fit is named by its field."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.intake.arrival import Arrival
from services.intake.feeds import Feeds, read_feeds
from services.intake.json_events import TRIGGERS, EventType, read_json_event
from services.intake.triggers import RANKS

FEEDS: Feeds = read_feeds(Path("deploy/feeds.yaml"))
NOW = datetime(2026, 3, 10, tzinfo=UTC)


def event(kind: str = "discharge", **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "recorded": "2026-03-06T15:04:00-06:00",
        "patient": {"identifiers": [{"value": "MRN001"}], "name": {"family": "Testa"}, "birth_date": "1948-02-14"},
        "stay": {"number": "V1001", "encounter_class": "IMP", "disposition": "HOME",
                 "discharged_at": "2026-03-06T15:00:00-06:00"},
        **more,
    }  # fmt: skip


def read(body: dict[str, Any] | bytes) -> tuple[Arrival, list[Any]]:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_json_event(raw, "key-1", FEEDS.feeds[0], FEEDS, at=NOW)


def test_a_discharge_says_what_its_a03_says() -> None:
    arrival, errors = read(event())
    assert (errors, arrival.control_id, arrival.trigger) == ([], "key-1", "JSON^discharge")
    adt = arrival.adt
    assert adt is not None
    assert adt.fact is not None
    assert adt.visit is not None
    assert (adt.trigger, adt.visit.authority, adt.visit.value) == ("A03", "GENHOSP", "V1001")
    assert adt.occurred == datetime(2026, 3, 6, 21, tzinfo=UTC)
    assert adt.fact.said["disposition"]["nubc"] == "01"
    assert adt.demographics["name"] == {"family": "Testa"}
    assert adt.demographics["identifiers of GENHOSP"] == [["MR", "MRN001"]]


def test_every_type_has_a_rule() -> None:
    assert set(TRIGGERS) == set(EventType)
    assert set(TRIGGERS.values()) <= set(RANKS)


@pytest.mark.parametrize(
    ("body", "place", "reason"),
    [
        (b"{", "", "unreadable-json"),
        (event("explosion"), "type", "invalid-event"),
        (event(recorded="2026-03-06T15:04:00"), "recorded", "invalid-event"),
        (event(colour="green"), "colour", "invalid-event"),
        (event(patient={"identifiers": []}), "patient.identifiers", "invalid-event"),
        (event(patient={"identifiers": [{"value": "1", "type": "SS"}]}), "patient.identifiers", "invalid-event"),
        (event(stay=None), "stay", "invalid-event"),
        (event("patient-merged"), "retired", "invalid-event"),
    ],
)
def test_what_does_not_fit_is_told_by_its_field(body: Any, place: str, reason: str) -> None:
    arrival, errors = read(body)
    assert arrival.verdict is not None
    assert (arrival.verdict.location, arrival.verdict.reason, arrival.verdict.code) == (place, reason, "AE")
    assert errors


def test_a_merge_needs_no_stay() -> None:
    adt = read(event("patient-merged", stay=None, retired={"value": "MRN002"}))[0].adt
    assert adt is not None
    assert (adt.trigger, adt.visit, [one.value for one in adt.retired]) == ("A40", None, ["MRN002"])


def test_a_clock_that_is_far_ahead_is_a_doubt() -> None:
    arrival, _ = read(event(recorded="2027-01-01T00:00:00Z"))
    assert arrival.doubts == ("recorded",)


@pytest.mark.parametrize("year", ["0001", "1849", "2027", "9999"])
def test_absurd_times_count_as_not_said(year: str) -> None:
    absurd = f"{year}-12-31T23:59:59+14:00"
    told = event(recorded=absurd, occurred=absurd)
    told["stay"] |= {"discharged_at": absurd, "admitted_at": absurd.replace("2027", "9998")}
    told["patient"] |= {"deceased_at": absurd}
    adt = read(told)[0].adt
    assert adt is not None
    assert adt.fact is not None
    assert set(adt.doubts) == {
        *("recorded", "occurred", "stay.discharged_at", "stay.admitted_at", "patient.deceased_at")
    }
    assert not {"discharged_at", "admitted_at"} & set(adt.fact.said)
    assert "deceased" not in adt.demographics
    assert (adt.occurred, adt.order.recorded) == (NOW, "2026-03-10T00:00:00.000000+00:00")


def test_a_field_that_nobody_knows_is_not_repeated() -> None:
    arrival, _ = read(event() | {"Zebulon Testa": 1})
    assert arrival.verdict is not None
    assert arrival.verdict.location == "(unknown)"


def test_the_event_of_the_page_is_one() -> None:
    page = Path("docs/connecting-a-feed.md").read_text(encoding="utf-8")
    arrival, errors = read(page.partition("```json\n")[2].partition("```")[0].encode())
    assert (errors, arrival.verdict, arrival.trigger) == ([], None, "JSON^discharge")

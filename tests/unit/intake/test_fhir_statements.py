"""Appointments, observations, documents and referrals by FHIR become the statements that SIU, ORU, MDM and REF make."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.intake.feeds import Feeds, read_feeds
from services.intake.fhir.reading import read_fhir
from services.intake.message import AdtMessage
from services.intake.statement import About, Statement
from tests.unit.intake.bundles import OID, appointment, referral, summary, task, weight

FEEDS: Feeds = read_feeds(Path("deploy/feeds.yaml"))
NOW = datetime(2026, 3, 10, tzinfo=UTC)


def message_of(body: dict[str, Any]) -> AdtMessage:
    found = read_fhir(orjson.dumps(body), FEEDS.feeds[0], FEEDS, received=NOW)
    assert found.arrival.adt is not None, (found.arrival.verdict, found.issues)
    return found.arrival.adt


def statement_of(body: dict[str, Any]) -> Statement:
    [statement] = message_of(body).statements
    return statement


@pytest.mark.parametrize(
    ("status", "means"),
    [("booked", "booked"), ("pending", "waiting"), ("fulfilled", "attended"), ("noshow", "no-show"), ("cancelled", "cancelled")],
)  # fmt: skip
def test_an_appointments_status(status: str, means: str) -> None:
    said = statement_of(appointment(status))
    assert (said.about, said.said["status"]) == (About.APPOINTMENT, means)
    assert (said.said["starts_at"], said.said["service"]) == ("2026-03-12T15:00:00+00:00", "Follow-up visit")
    assert (said.identifier.authority, said.identifier.value) == ("general-hospital FHIR", "a1")


def test_an_observation_says_value_and_unit() -> None:
    said = statement_of(weight())
    assert said.occurred == datetime(2026, 3, 8, 12, tzinfo=UTC)
    wanted = {"status": "F", "code": "29463-7", "system": "LN", "value": "82.5", "unit": "kg", "text": None}
    assert {name: said.said[name] for name in wanted} == wanted
    assert statement_of(weight("entered-in-error")).said["status"] == "W"


def test_a_blood_pressure_is_two_observations() -> None:
    parts = [
        {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, "valueQuantity": {"value": value, "unit": "mm[Hg]"}}
        for code, value in (("8480-6", 182), ("8462-4", 95))
    ]  # fmt: skip
    body = weight(component=parts)
    del body["valueQuantity"]
    found = message_of(body).statements
    assert [(one.said["code"], one.said["value"]) for one in found] == [("8480-6", "182"), ("8462-4", "95")]
    assert len({one.identifier for one in found}) == 2


def test_a_document_and_the_one_it_replaces() -> None:
    assert statement_of(summary()).said["document_type"] == "DS"
    replaced = [{"code": "replaces", "target": {"reference": "DocumentReference/d0"}}]
    old, new = message_of(summary(relatesTo=replaced)).statements
    assert (old.identifier.value, old.said) == ("d0", {"status": "obsolete"})
    assert (new.said["completion"], new.said["replaces"]["value"], new.said["is_addendum"]) == ("AU", "d0", False)


def test_a_task_answers_the_request_in_its_focus() -> None:
    request, answer = statement_of(referral()), statement_of(task())
    assert request.identifier == answer.identifier
    assert (request.said["status"], request.said["priority"], request.said["service"]) == (
        "requested", "urgent", "Cardiology consultation",
    )  # fmt: skip
    assert (answer.said["status"], answer.said["performer"]) == ("accepted", "Lakeside Cardiology")
    numbered = {"system": OID, "value": "R77"}
    by_number = task(focus={"identifier": numbered})
    assert statement_of(referral(identifier=[numbered])).identifier == statement_of(by_number).identifier


@pytest.mark.parametrize(
    ("body", "expression"),
    [
        (appointment(participant=[{"actor": {"display": "room 7"}}]), "Appointment.participant"),
        (appointment("maybe"), "Appointment.status"),
        (appointment(id=None), "Appointment.identifier"),
        (weight(subject={"display": "Ann"}), "Observation.subject"),
        (task(focus=None), "Task.focus"),
        ({**task(), "for": {}}, "Task.for"),
    ],
)
def test_what_is_missing_is_told_by_its_place(body: dict[str, Any], expression: str) -> None:
    found = read_fhir(orjson.dumps(body), FEEDS.feeds[0], FEEDS, received=NOW)
    assert [issue.expression for issue in found.issues] == [expression]


def test_the_stay_is_found_by_its_number() -> None:
    encounter = {"identifier": {"system": OID, "value": "V1001"}}
    visit = message_of(weight(encounter=encounter)).visit
    assert visit is not None
    assert (visit.authority, visit.type, visit.value) == ("GENHOSP", "VN", "V1001")

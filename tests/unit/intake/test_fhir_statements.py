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
from tests.unit.intake.bundles import OID, appointment, message, patient, referral, report, summary, task, weight

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


@pytest.mark.parametrize("reference", [{"reference": "#p"}, {"reference": "Patient/p1", "type": "Patient"}])
def test_whose_an_appointment_is_may_be_said_in_any_way(reference: dict[str, Any]) -> None:
    others = [{"actor": {"reference": "Practitioner/Patient"}}, {"actor": {"display": "somebody"}}, {}]
    found = message_of(appointment(participant=[*others, {"actor": reference}], contained=[{**patient(), "id": "p"}]))
    assert "p1" in [one.value for one in found.identifiers] or "MRN001" in [one.value for one in found.identifiers]


def test_an_appointment_in_a_message_refers_by_uuid() -> None:
    doctor = {"resourceType": "Practitioner", "id": "d", "name": [{"family": "Quincy"}]}
    urls = {
        "Patient": "urn:uuid:0192d5a0-0000-4000-8000-000000000001",
        "Practitioner": "urn:uuid:0192d5a0-0000-4000-8000-000000000002",
    }
    body = orjson.loads(
        message(
            "notification-x",
            appointment(participant=[{"actor": {"reference": url}} for url in urls.values()]),
            patient(),
            doctor,
            sent="2026-03-06T15:05:00Z",
        )
    )
    for entry in body["entry"]:
        if url := urls.get(entry["resource"]["resourceType"]):
            entry["fullUrl"] = url
    found = message_of(body)
    assert "MRN001" in [one.value for one in found.identifiers]
    assert found.statements[0].said["actor"] == "Quincy"


def test_an_observation_says_value_and_unit() -> None:
    said = statement_of(weight())
    assert said.occurred == datetime(2026, 3, 8, 12, tzinfo=UTC)
    wanted = {"status": "F", "code": "29463-7", "system": "LN", "value": "82.5", "unit": "kg", "text": None}
    assert {name: said.said[name] for name in wanted} == wanted
    assert statement_of(weight("entered-in-error")).said["status"] == "W"


@pytest.mark.parametrize(
    ("unit", "system", "code", "said"),
    [
        ("beats/minute", "http://unitsofmeasure.org", "/min", "/min"),
        ("mmHg", "http://unitsofmeasure.org", "mm[Hg]", "mm[Hg]"),
        ("kg", None, None, "kg"),
        ("lbs", "http://example.org/units", "17", "lbs"),
        (None, None, "kg", "kg"),
    ],
)
def test_a_unit_is_said_as_ucum_writes_it(unit: str | None, system: str | None, code: str | None, said: str) -> None:
    quantity = {"value": 82.5, "unit": unit, "system": system, "code": code}
    assert statement_of(weight(valueQuantity=quantity)).said["unit"] == said


def test_what_nobody_can_have_measured_is_no_number() -> None:
    said = statement_of(weight(valueQuantity={"value": 1e300, "unit": "kg"})).said
    assert (said["value"], said["text"]) == (None, "1e+300")


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


def measured(code: str, value: float, **more: Any) -> dict[str, Any]:
    coded = {"coding": [{"system": "http://loinc.org", "code": code}]}
    return {"resourceType": "Observation", "id": f"o-{code}", "status": "final", "code": coded,
            "valueQuantity": {"value": value, "unit": "g/dL"}, **more}  # fmt: skip


def test_a_report_says_its_results_and_what_it_concludes() -> None:
    sent = report(
        contained=[measured("718-7", 13.2), measured("4544-3", 39.1)],
        result=[{"reference": "#o-718-7"}, {"reference": "#o-4544-3"}, {"reference": "Observation/elsewhere"}],
        basedOn=[{"reference": "ServiceRequest/s1"}],
        conclusion="Mild anaemia",
    )
    first, second, own = message_of(sent).statements
    assert [(one.said["code"], one.said["value"]) for one in (first, second)] == [("718-7", "13.2"), ("4544-3", "39.1")]
    assert (own.said["code"], own.said["text"], own.said["status"]) == ("58410-2", "Mild anaemia", "F")
    assert {one.said["order"]["value"] for one in (first, second, own)} == {"s1"}
    assert [one.identifier.value for one in (first, second, own)] == ["r1|718-7", "r1|4544-3", "r1"]


def test_a_report_alone_tells_that_there_is_a_result_and_is_taken_back() -> None:
    assert statement_of(report()).said["status"] == "F"
    assert statement_of(report("entered-in-error")).said["status"] == "W"
    wrong = report("entered-in-error", contained=[measured("718-7", 13.2)], result=[{"reference": "#o-718-7"}])
    assert statement_of(wrong).said["status"] == "W"


def test_a_report_in_a_message_with_a_panel_of_members() -> None:
    panel = {
        **measured("58410-2", 0),
        "hasMember": [{"reference": "Observation/o-718-7"}],
        "subject": {"reference": "Patient/p1"},
    }
    del panel["valueQuantity"]
    body = orjson.loads(message("result", report(result=[{"reference": "Observation/o-58410-2"}]), panel,
                                measured("718-7", 13.2), patient(), sent="2026-03-08T08:00:00-05:00"))  # fmt: skip
    said = statement_of(body)
    assert (said.said["code"], said.identifier.value) == ("718-7", "o-718-7")


def test_a_report_with_another_patients_result_is_refused() -> None:
    other = measured("718-7", 13.2, subject={"reference": "Patient/p2"})
    found = read_fhir(
        orjson.dumps(report(contained=[other], result=[{"reference": "#o-718-7"}])), FEEDS.feeds[0], FEEDS, received=NOW
    )
    assert [issue.expression for issue in found.issues] == ["DiagnosticReport.contained[0].subject"]


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
        (weight(subject=None), "Observation.subject"),
        (report(subject=None), "DiagnosticReport.subject"),
        (report("done"), "DiagnosticReport.status"),
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

"""FHIR requests are read as what HL7 v2 says of the same acts; what is wrong is told by FHIRPath."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.intake.feeds import Feed, Feeds, read_feeds
from services.intake.fhir.codes import trigger_of_event, trigger_of_status
from services.intake.fhir.reading import FhirArrival, read_fhir
from services.intake.fhir.times import read_instant
from services.intake.lifecycle import RULES, fold
from services.intake.message import AdtMessage
from services.intake.triggers import RANKS
from shared.events.people import EncounterClass, Identifier
from tests.unit.intake.bundles import admission, discharge, discharged, encounter, message, patient
from tests.unit.intake.messages import fact

FEEDS: Feeds = read_feeds(Path("deploy/feeds.yaml"))
FEED: Feed = FEEDS.feeds[0]
NOW = datetime(2026, 3, 10, tzinfo=UTC)
SENT = "2026-03-06T15:05:00-06:00"
FEED_VISIT = Identifier(authority="GENHOSP", type="VN", value="V1001")


def read(body: bytes | dict[str, Any], **more: Any) -> FhirArrival:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_fhir(raw, FEED, FEEDS, received=NOW, **more)


def adt_of(body: bytes | dict[str, Any]) -> AdtMessage:
    found = read(body).arrival
    assert found.adt is not None, found.verdict
    return found.adt


def test_an_admission_says_what_its_a01_says() -> None:
    found = adt_of(admission())
    assert found.fact is not None
    assert (found.trigger, found.visit) == ("A01", FEED_VISIT)
    assert [(one.authority, one.type, one.value) for one in found.identifiers] == [
        ("general-hospital FHIR", "FHIR", "p1"),
        ("GENHOSP", "MR", "MRN001"),
    ]
    assert found.demographics["name"] == {"family": "Testa", "given": "Ann", "middle": "Q"}
    assert (found.demographics["birth_date"], found.demographics["sex"]) == ("1948-02-14", "F")
    said = found.fact.said
    assert said["class"] == "IMP"
    assert said["location"] == {"bed": "A", "point_of_care": "4W"}
    assert said["admitted_at"] == "2026-03-02T15:15:00+00:00"
    assert said["ATND"] == [{"npi": "1234567893", "name": {"family": "Attend", "given": "Alice"}}]
    assert said["diagnoses"] == [{"code": "I50.9", "text": "Heart failure", "system": "I10", "type": "A", "rank": 1}]
    assert (found.order.recorded, found.order.control_id) == (
        "2026-03-02T15:20:00.000000+00:00",
        "b-notification-admit-2026-03-02T0920",
    )


def test_a_discharge_ends_when_its_period_ends() -> None:
    found = adt_of(discharge())
    assert found.fact is not None
    assert (found.trigger, found.occurred) == ("A03", datetime(2026, 3, 6, 21, tzinfo=UTC))
    disposition = {"nubc": "01", "fhir": "home", "source": "home", "planned_readmission": False}
    assert found.fact.said["disposition"] == disposition


@pytest.mark.parametrize(
    ("event", "encounter_class", "trigger"),
    [
        ("notification-admit", EncounterClass.INPATIENT, "A01"),
        ("notification-admit", EncounterClass.EMERGENCY, "A04"),
        ("notification-admit", EncounterClass.PREADMISSION, "A05"),
        ("notification-transfer", EncounterClass.INPATIENT, "A02"),
        ("ADT^A13", EncounterClass.INPATIENT, "A13"),
        ("adt-a08", EncounterClass.INPATIENT, "A08"),
        ("A11", EncounterClass.OTHER, "A11"),
        ("notification-pharmacy", EncounterClass.INPATIENT, None),
        ("in-progress", EncounterClass.INPATIENT, None),
    ],
)
def test_events_stand_for_triggers(event: str, encounter_class: EncounterClass, trigger: str | None) -> None:
    assert trigger_of_event(event, encounter_class) == trigger


def test_every_status_has_a_rule() -> None:
    for status in ("planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled"):
        assert trigger_of_status(status) in RULES
        assert trigger_of_status(status) in RANKS


@pytest.mark.parametrize(
    ("before", "status", "milestones"),
    [
        ([], "in-progress", ["admitted"]),
        (["A05"], "in-progress", ["preadmitted", "admitted"]),
        (["A01", "A03"], "in-progress", ["admitted"]),
        (["A01", "A21"], "in-progress", ["admitted", "leave-started", "leave-ended"]),
        (["A01", "in-progress"], "in-progress", ["admitted"]),
        (["A01", "A11"], "in-progress", ["admitted"]),
    ],
)
def test_a_stay_that_is_open_now_is_open_whatever_it_was(before: list[str], status: str, milestones: list[str]) -> None:
    facts = [fact(trigger, f"0{hour}:00", **{"class": "IMP"}) for hour, trigger in enumerate([*before, status], 1)]
    state = fold(facts)
    assert (state.status, [m.kind for m in state.milestones]) == ("in-progress", milestones)


def test_an_emergency_that_becomes_a_stay_is_an_admission() -> None:
    visits = [fact("A04", "01:00", **{"class": "EMER"}), fact("in-progress", "02:00", **{"class": "IMP"})]
    assert [m.kind for m in fold(visits).milestones] == ["arrived", "class-changed", "admitted"]


@pytest.mark.parametrize(
    ("body", "expression", "reason"),
    [
        (b"not json", "", "unreadable-json"),
        (b"[]", "resourceType", "unreadable-json"),
        ({"resourceType": "Encounter"}, "Encounter.status", "invalid-resource"),
        (encounter("gone"), "Encounter.status", "invalid-resource"),
        (encounter(period={"start": "yesterday"}), "Encounter.period.start", "invalid-resource"),
        (encounter(subject={"display": "Ann Testa"}), "Encounter.subject", "invalid-resource"),
        (encounter(id=None, identifier=[]), "Encounter.identifier", "invalid-resource"),
        (encounter(location=[{"status": "active"}]), "Encounter.location[0].location", "invalid-resource"),
        (
            message("notification-admit", encounter(), patient(gender="Testa"), sent=SENT),
            "Bundle.entry[2].resource.gender",
            "invalid-resource",
        ),
        (message("notification-admit", encounter(), sent="March"), "Bundle.timestamp", "invalid-resource"),
        (
            {"resourceType": "Bundle", "type": "message", "timestamp": SENT, "entry": []},
            "Bundle.entry",
            "invalid-resource",
        ),
    ],
)
def test_what_is_wrong_is_told_by_its_place_and_never_by_its_value(
    body: bytes | dict[str, Any], expression: str, reason: str
) -> None:
    found = read(body)
    assert found.arrival.verdict is not None
    assert (found.issues[0].expression, found.arrival.verdict.reason) == (expression, reason)
    assert not any("Testa" in issue.text or "gone" in issue.text for issue in found.issues)


def test_a_focus_that_was_not_sent_is_missed_at_its_reference() -> None:
    bundle = orjson.loads(discharge())
    bundle["entry"][0]["resource"]["focus"][0]["reference"] = "Encounter/other"
    assert read(bundle).issues[0].expression == "Bundle.entry[0].resource.focus[0].reference"


def test_what_is_not_taken_is_stored_without_effect() -> None:
    for body, reason in (
        ({"resourceType": "Medication", "id": "m"}, "unsupported-type"),
        (message("notification-pharmacy", encounter(), sent=SENT), "unsupported-trigger"),
        (message("A40", encounter(), sent=SENT), "unsupported-trigger"),
    ):
        verdict = read(body).arrival.verdict
        assert verdict is not None
        assert (verdict.outcome, verdict.reason, verdict.code) == ("skipped", reason, "AA")


def test_the_address_and_the_resource_must_agree() -> None:
    assert read(encounter(), wanted="Bundle").issues[0].expression == "resourceType"
    assert read(encounter(), resource_id="e2").issues[0].expression == "Encounter.id"
    assert read(encounter(), wanted="Encounter", resource_id="e1").issues == ()


def test_a_patient_may_be_contained_or_an_identifier_alone() -> None:
    contained = encounter(subject={"reference": "#p1"}, contained=[patient()])
    assert [one.value for one in adt_of(contained).identifiers] == ["MRN001"]
    alone = encounter(subject={"identifier": {"system": "urn:oid:1.2.3", "value": "77"}})
    assert [(one.authority, one.value) for one in adt_of(alone).identifiers] == [("1.2.3", "77")]


def test_a_time_ahead_of_its_arrival_is_a_doubt() -> None:
    found = adt_of(discharged(meta={"lastUpdated": "2026-04-01T00:00:00Z"}))
    assert (found.doubts, found.order.recorded[:10]) == (("sent",), "2026-03-10")


def test_what_was_left_out_is_told_by_its_place() -> None:
    wrong = {"start": "2026-03-02T09:15:00-06:00", "end": "2026-99-06"}
    alone = read(encounter("finished", period=wrong, meta={"lastUpdated": "2026-04-01T00:00:00Z"}))
    assert [(one.severity, one.expression) for one in alone.issues] == [
        ("warning", "Encounter.period.end"),
        ("warning", "meta.lastUpdated"),
    ]
    told = read(
        message("notification-discharge", encounter("finished", period=wrong), patient(), sent="2026-03-06T15:05:00Z")
    )
    assert [one.expression for one in told.issues] == ["Bundle.entry[1].resource.period.end"]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-02T09:15:00-06:00", "2026-03-02T15:15:00+00:00"),
        ("2026-03-02T09:15:00.123Z", "2026-03-02T09:15:00.123000+00:00"),
        ("2026-03-02T09:15:00+01:00", "2026-03-02T08:15:00+00:00"),
        ("2026-03-02", "2026-03-02T06:00:00+00:00"),
        ("2026-13-02", None),
    ],
)
def test_instants_keep_their_offset_and_dates_are_the_facilitys(text: str, instant: str | None) -> None:
    moment = read_instant(text, FEED.zone)
    assert (moment.iso if moment else None) == instant


def test_a_single_resource_stands_for_its_status() -> None:
    assert [adt_of(encounter(status)).trigger for status in ("planned", "in-progress", "finished", "cancelled")] == [
        "A05", "in-progress", "A03", "A11",
    ]  # fmt: skip


def numbers(found: tuple[Identifier, ...]) -> list[tuple[str, str]]:
    return [(one.type, one.value) for one in found]


@pytest.mark.parametrize(
    ("more", "trigger", "active"),
    [({}, "A31", None), ({"active": True}, "A31", True), ({"active": False}, "A29", False)],
)
def test_a_single_patient_says_who_somebody_is(more: dict[str, Any], trigger: str, active: bool | None) -> None:  # noqa: FBT001
    found = adt_of(patient(**more))
    assert (found.trigger, found.visit, found.fact) == (trigger, None, None)
    assert found.demographics["name"]["family"] == "Testa"
    assert found.demographics.get("is_active") is active
    assert numbers(found.identifiers) == [("FHIR", "p1"), ("MR", "MRN001")]


def test_links_between_patients_are_merges_and_links() -> None:
    gone = adt_of(patient(active=False, link=[{"other": {"reference": "Patient/p2"}, "type": "replaced-by"}]))
    assert (gone.trigger, gone.demographics) == ("A40", {})
    assert numbers(gone.identifiers) == [("FHIR", "p2")]
    assert numbers(gone.retired) == [("FHIR", "p1"), ("MR", "MRN001")]
    two = [{"other": {"reference": f"Patient/{other}"}, "type": "replaces"} for other in ("p2", "p3")]
    kept = adt_of(patient(link=two))
    assert [numbers(part.retired) for part in kept.parts] == [[("FHIR", "p2")], [("FHIR", "p3")]]
    assert {numbers(part.identifiers)[0] for part in kept.parts} == {("FHIR", "p1")}
    linked = adt_of(patient(link=[{"other": {"reference": "Patient/p2"}, "type": "seealso"}]))
    assert [part.trigger for part in linked.parts] == ["A24", "A24"]


def test_a_merge_may_come_as_a_message_or_an_operation() -> None:
    other = {**patient(id="p2"), "identifier": [{"value": "MRN002"}]}
    survivor = patient(link=[{"other": {"reference": "Patient/p2"}, "type": "replaces"}])
    told = adt_of(message("ADT-A40", survivor, other, sent=SENT))
    assert (told.trigger, numbers(told.retired)) == ("A40", [("FHIR", "p2"), ("MR", "MRN002")])
    asked = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "source-patient", "valueReference": {"reference": "Patient/p2"}},
            {"name": "target-patient-identifier", "valueIdentifier": {"value": "MRN001"}},
        ],
    }
    merged = adt_of(asked)
    assert (numbers(merged.identifiers), numbers(merged.retired)) == ([("MR", "MRN001")], [("FHIR", "p2")])


@pytest.mark.parametrize(
    ("body", "expression"),
    [
        (patient(id=None, identifier=[]), "Patient.identifier"),
        (patient(link=[{"other": {"display": "somebody"}, "type": "replaces"}]), "Patient.link[0].other"),
        (patient(link=[{"other": {"reference": "Patient/p2"}, "type": "is"}]), "Patient.link[0].type"),
        (message("ADT-A40", patient(), sent=SENT), "Bundle.entry[1].resource.link"),
        ({"resourceType": "Parameters", "parameter": [{"name": "source-patient"}]}, "Parameters.parameter"),
        (
            {"resourceType": "Parameters", "parameter": [{"name": "preview", "valueBoolean": True}]},
            "Parameters.parameter",
        ),
    ],
)
def test_a_patient_or_merge_that_names_nobody_is_refused(body: bytes | dict[str, Any], expression: str) -> None:
    assert read(body).issues[0].expression == expression


def test_a_list_that_is_gone_through_for_each_of_another_has_a_bound() -> None:
    attending = {"type": [{"coding": [{"code": "ATND"}]}], "individual": {"reference": "Practitioner/x"}}
    many = {"resourceType": "Practitioner", "id": "x", "identifier": [{"value": str(n)} for n in range(500)]}
    told = encounter(participant=[attending] * 500)
    assert read(message("notification-admit", told, patient(), many, sent=SENT)).arrival.adt is not None
    too_many = encounter(participant=[attending] * 501)
    [issue] = read(message("notification-admit", too_many, patient(), many, sent=SENT)).issues
    assert issue.expression.endswith(".participant")


def test_a_text_is_no_longer_than_a_page_may_be() -> None:
    found = read(
        message(
            "notification-admit",
            encounter(),
            patient(language="x" * 70_000, name=[{"family": "x" * 70_000}]),
            sent=SENT,
        )
    )
    assert found.arrival.verdict is not None
    assert [issue.expression for issue in found.issues] == ["Bundle.entry[2].resource.name[0].family"]
    assert "xxx" not in found.issues[0].text


@pytest.mark.parametrize("died", ["2026-03-12T00:00:00Z", "2062-03-06"])
def test_nobody_is_dead_who_is_yet_to_die(died: str) -> None:
    found = adt_of(message("notification-admit", encounter(), patient(deceasedDateTime=died), sent=SENT))
    assert not {"deceased", "deceased_at"} & set(found.demographics)
    assert "Patient.deceasedDateTime" in found.doubts


@pytest.mark.parametrize("start", ["2026", "2026-03"])
def test_a_stay_that_began_in_a_month_began_on_no_day(start: str) -> None:
    found = adt_of(message("notification-admit", encounter(period={"start": start}), patient(), sent=SENT))
    assert found.fact is not None
    assert "admitted_at" not in found.fact.said
    assert "Encounter.period.start without a day" in found.doubts

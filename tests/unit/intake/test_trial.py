"""The conformance report: what would be created, what was not understood, and what to put into the file."""

from pathlib import Path

import pytest

from services.intake.batches import split
from services.intake.feed_file import BrokenFeedsError, parse_feeds
from services.intake.feeds import Feed, read_feeds
from services.intake.message import Reason
from services.intake.trial.advising import REASONS
from services.intake.trial.report import Report, report_of
from services.intake.trial.trying import Trial
from tests.unit.intake.bundles import admission, discharge
from tests.unit.intake.messages import adt, specimen
from tests.unit.intake.statements import mdm, oru, ref, siu

GENERAL: Feed = read_feeds(Path("deploy/feeds.yaml")).feeds[0]
BARE = parse_feeds("feeds: [{ name: bare, facility: { code: GENHOSP, time_zone: UTC } }]").feeds[0]

T1, T2 = "20260307090000", "20260307100000"


def report(*messages: bytes, feed: Feed = GENERAL) -> Report:
    trial = Trial(feed)
    for message in messages:
        trial.take(message)
    return report_of(trial)


def test_a_clean_stay_scores_full_marks() -> None:
    found = report(*(specimen(name) for name in ("a01-admission", "a02-transfer", "a03-discharge")))
    assert (found.messages, found.score.understood, found.score.complete, found.score.coded) == (3, 100, 100, 100)
    assert (found.score.overall, found.outcomes) == (100, {"accepted": 3})
    assert list(found.events) == [
        "care.encounter.admitted.v1",
        "care.encounter.transferred.v1",
        "care.encounter.discharged.v1",
    ]
    [stay] = found.created
    assert (stay.status, stay.encounter_class, stay.facility, stay.disposition) == ("finished", "IMP", "GENHOSP", "01")
    assert (found.patients, found.encounters, found.refused) == (1, 1, ())


def test_order_and_repeats_make_no_difference_to_what_would_be_created() -> None:
    names = ("a03-discharge", "a01-admission", "a01-admission", "a02-transfer")
    found = report(*(specimen(name) for name in names))
    assert (found.created[0].status, found.outcomes) == ("finished", {"accepted": 3, "duplicate": 1})


def test_a_report_names_no_patient() -> None:
    text = report(specimen("a01-admission"), specimen("a40-merge")).model_dump_json()
    for secret in ("Testa", "MRN001", "19480214", "V1001", "5550100", "Elm St"):
        assert secret not in text


def test_unknown_codes_come_with_what_to_put_into_the_file() -> None:
    found = report(
        adt("A01", control_id="1", patient_class="INP"),
        adt("A03", control_id="2", disposition="WENTAWAY", recorded="20260306150000"),
        feed=BARE,
    )
    assert [(one.field, one.code, one.count) for one in found.unknown] == [
        ("PV1-2", "INP", 1),
        ("PV1-36", "WENTAWAY", 1),
    ]
    puts = {one.put for one in found.advice if one.put}
    assert "classes: {INP: I}" in puts
    assert "dispositions: {WENTAWAY: '?'}" in puts
    assert found.score.coded < 100
    assert "WENTAWAY: '?'" in found.configuration


def test_the_proposed_file_can_be_taken_once_every_question_is_answered() -> None:
    found = report(adt("A01", patient_class="INP"), feed=BARE)
    [feed] = parse_feeds(found.configuration).feeds
    standing = "feeds:\n  - name: other\n    facility: { code: OTHER, time_zone: UTC }\n"
    appended = standing + found.configuration.partition("feeds:\n")[2]
    assert [one.name for one in parse_feeds(appended).feeds] == ["other", feed.name]
    with pytest.raises(BrokenFeedsError, match="line 4, column 1: the key feeds stands here again"):
        parse_feeds(standing + found.configuration)
    assert (feed.classes, feed.senders[0].facility) == ({"INP": "I"}, "GENHOSP")
    again = report(adt("A01", patient_class="INP"), feed=feed)
    assert (again.unknown, again.score.coded) == ((), 100)
    with pytest.raises(ValueError, match="feed bare: dispositions"):
        parse_feeds(report(adt("A03", disposition="GONE"), feed=BARE).configuration)


def test_the_zone_of_a_new_feed_is_asked_for() -> None:
    trial = Trial(BARE, is_new=True)
    trial.take(adt("A01"))
    proposed = report_of(trial).configuration
    with pytest.raises(ValueError, match="time_zone is no IANA zone"):
        parse_feeds(proposed)
    assert parse_feeds(proposed.replace("'?'", "America/Chicago")).feeds[0].facility.time_zone == "America/Chicago"


def test_a_code_in_no_map_is_a_code_to_map_and_nothing_else() -> None:
    """PV1-36 is a part of PV1-3 by its letters alone."""
    found = report(adt("A03", patient_class="INP", disposition="WENTAWAY", discharged="2026-03-06 noon"), feed=BARE)
    assert [one.about for one in found.advice if "can't be read" in one.what] == ["PV1-45"]
    assert {one.field: one.unreadable for one in found.fields if one.unreadable} == {"PV1-45": 1}
    assert (found.score.complete, found.score.coded < 100) == (100, True)


def test_what_is_refused_is_explained_and_listed_by_its_place_in_the_file() -> None:
    found = report(
        adt("A01"),
        specimen("a01-no-pid"),
        specimen("garbage"),
        adt("A01", processing_id="T", control_id="9"),
        feed=BARE,
    )
    assert {one.reason: one.count for one in found.refused} == {
        "missing-patient": 1, "no-header": 1, "wrong-processing-id": 1,
    }  # fmt: skip
    assert all(one.meaning for one in found.refused)
    assert [(one.number, one.location) for one in found.listed] == [(2, "PID^1"), (3, ""), (4, "MSH^1^11")]
    assert [one.put for one in found.advice if one.about == "MSH-11"] == ["processing_ids: [P, T]"]
    assert found.score.understood == 25


def test_empty_required_fields_cost_and_are_asked_for() -> None:
    found = report(adt("A01", admitted="", location=""))
    empty = {
        one.field: (one.messages, one.filled) for one in found.fields if one.required and one.filled < one.messages
    }
    assert empty == {"PV1-3": (1, 0), "PV1-44": (1, 0)}
    assert {one.about for one in found.advice} >= {"PV1-3", "PV1-44"}
    assert found.score.complete < 100


def test_times_without_an_offset_need_a_zone() -> None:
    assert [one.about for one in report(adt("A01"), feed=BARE).advice if "zone" in one.what] == ["MSH-7"]
    tokyo = BARE.model_copy(update={"facility": BARE.facility.model_copy(update={"time_zone": "Asia/Tokyo"})})
    wrong = [one.what for one in report(specimen("a01-admission"), feed=tokyo).advice if one.about == "MSH-7"]
    assert wrong == ["Times have the offset -0600, which Asia/Tokyo never has: is it the right zone?"]


def test_merges_join_patients_in_memory() -> None:
    found = report(adt("A01", mrn="OLD"), adt("A40", mrn="NEW", retired="OLD", control_id="2"))
    assert (found.patients, found.events["care.patient.merged.v1"]) == (1, 2)


def test_fhir_can_be_tried_too() -> None:
    found = report(admission(), discharge())
    assert (found.outcomes, found.created[0].status) == ({"accepted": 2}, "finished")


def test_results_appointments_documents_and_referrals_are_looked_at_field_by_field() -> None:
    found = report(
        adt("A01"),
        oru(T1, "OBX|1|NM|2951-2^Sodium^LN||138|mmol/L|||||F|||20260307080000"),
        oru(T2, "OBX|1|NM|2951-2^Sodium^LN||138|mmol/L|||||F", "OBX|2|NM|||4||||||F"),
        siu("S12", T1),
        siu("S12", T2, starts="", filler=""),
        mdm("T02", T1),
        ref("I12", T1),
    )
    assert found.outcomes == {"accepted": 7}
    counts = {one.field: (one.messages, one.filled) for one in found.fields}
    assert counts["OBX-3"] == (2, 1)
    assert counts["OBX-14"] == (2, 2)  # the order says it
    assert counts["SCH-11.4"] == (2, 1)
    assert counts["SCH-2"] == (2, 2)  # the placer's number is as good
    assert (counts["TXA-12"], counts["RF1-6"], counts["MSH-10"]) == ((1, 1), (1, 1), (7, 7))
    assert found.things == {"appointment": 2, "observation": 1, "document": 1, "referral": 1}
    shown = {(one.about, one.status, one.code, one.at) for one in found.created_things}
    assert ("observation", "F", "2951-2", "2026-03-03T13:00:00+00:00") in shown
    assert ("appointment", "booked", None, "2026-03-10T19:30:00+00:00") in shown
    assert {one.about for one in found.advice} >= {"OBX-3", "SCH-11.4"}


def test_what_is_left_out_on_purpose_costs_nothing() -> None:
    chosen = GENERAL.model_copy(update={"triggers": frozenset({"A01"})})
    found = report(adt("A01"), adt("A08", control_id="2"), feed=chosen)
    assert (found.score.understood, found.outcomes) == (100, {"accepted": 1, "skipped": 1})


def test_a_trial_of_nothing_scores_nothing() -> None:
    assert report().score.overall == 0
    assert split(b"").messages == ()


def test_every_reason_has_a_meaning() -> None:
    assert set(REASONS) == set(Reason)

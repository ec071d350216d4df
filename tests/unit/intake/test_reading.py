from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.intake import er7, reading
from services.intake.arrival import read_arrival
from services.intake.feeds import Feeds, read_feeds
from services.intake.message import AdtMessage, Outcome, Reason, UnacceptableError, Verdict
from shared.events.people import Identifier
from tests.unit.intake.messages import adt, specimen

FEEDS: Feeds = read_feeds(Path("deploy/feeds.yaml"))
RECEIVED = datetime(2026, 7, 20, tzinfo=UTC)


def read(raw: bytes) -> AdtMessage:
    message = er7.read(raw)
    feed = FEEDS.find(*reading.sender_of(message), "127.0.0.1")
    assert feed is not None
    return reading.interpret(message, reading.heading_of(message), feed, RECEIVED, "digest")


def verdict_of(raw: bytes) -> Verdict:
    with pytest.raises(UnacceptableError) as raised:
        read(raw)
    return raised.value.verdict


def said(message: AdtMessage) -> Any:
    assert message.fact is not None
    return message.fact.said


def test_the_specimen_admission() -> None:
    message = read(specimen("a01-admission"))
    assert message.identifiers == (
        Identifier(authority="GENHOSP", type="MR", value="MRN001"),
        Identifier(authority="STATEHIE", type="PI", value="999001"),
    )
    assert message.visit == Identifier(authority="GENHOSP", type="VN", value="V1001")
    assert message.demographics["name"] == {"family": "Testa", "given": "Ann", "middle": "Q"}
    assert message.demographics["birth_date"] == "1948-02-14"
    assert said(message)["class"] == "IMP"
    assert said(message)["admitted_at"] == "2026-03-02T15:15:00+00:00"
    assert said(message)["ATND"] == [{"npi": "1234567893", "name": {"family": "Attend", "given": "Alice"}}]
    assert said(message)["diagnoses"] == [
        {"code": "I50.9", "text": "Heart failure, unspecified", "system": "I10", "type": "A"}
    ]
    assert message.order[:3] == ("2026-03-02T15:18:00.000000+00:00", "2026-03-02T15:20:00.000000+00:00", 0)
    assert message.occurred == datetime(2026, 3, 2, 15, 15, tzinfo=UTC)
    assert message.doubts == ()


def test_the_specimen_merge_names_both_records() -> None:
    message = read(specimen("a40-merge"))
    assert message.identifiers[0].value == "MRN001"
    assert message.retired == (Identifier(authority="GENHOSP", type="MR", value="MRN002"),)
    assert message.fact is None


def test_local_words_nulls_and_the_feeds_zone_across_the_clock_change() -> None:
    message = read(specimen("a03-local-words-no-offset"))
    assert said(message)["class"] == "IMP"
    assert said(message)["disposition"]["nubc"] == "03"
    assert said(message)["disposition"]["source"] == "SNF"
    assert said(message)["ADM"] is None
    assert message.demographics["birth_date"] is None
    assert message.demographics["name"] == {"family": "Doe"}
    assert message.identifiers[0].authority == "GENHOSP"
    # 02:30 did not exist on that night in Chicago: an hour forward, and a doubt.
    assert said(message)["discharged_at"] == "2026-03-08T08:30:00+00:00"
    assert "PV1-45 nonexistent" in message.doubts


@pytest.mark.parametrize(
    ("sent", "discharged", "at"),
    [
        # Friday in Chicago, whether it is said before or after the clocks went forward on the 8th.
        ("20260306150500-0600", "20260306", "2026-03-06T06:00:00+00:00"),
        ("20260310090000-0500", "20260306", "2026-03-06T06:00:00+00:00"),
        ("20260310090000-0500", "202603061500", "2026-03-06T21:00:00+00:00"),
        ("20260310090000-0500", "202603061500-0500", "2026-03-06T20:00:00+00:00"),
        # A sender with another clock than its feed's is believed.
        ("20260310090000-0400", "202603061500", "2026-03-06T19:00:00+00:00"),
    ],
)
def test_a_time_without_an_offset_is_the_same_whenever_it_is_said(sent: str, discharged: str, at: str) -> None:
    message = read(adt("A03", recorded=sent, discharged=discharged, admitted=""))
    assert said(message)["discharged_at"] == at


@pytest.mark.parametrize("discharged", ["202603", "2026"])
def test_a_discharge_without_a_day_counts_from_the_event(discharged: str) -> None:
    message = read(adt("A03", recorded="20260306150000", discharged=discharged, admitted="202602"))
    assert not {"discharged_at", "admitted_at"} & set(said(message))
    assert {"PV1-45 without a day", "PV1-44 without a day"} <= set(message.doubts)
    assert message.fact is not None
    assert message.fact.moments["PV1-45"][1] in {"month", "year"}


@pytest.mark.parametrize(
    ("died", "flag", "told"),
    [
        ("20260720", "", {"deceased": True, "deceased_at": "2026-07-20T05:00:00+00:00"}),
        ("20260721", "", {}),
        ("20620306", "", {}),
        ("20620306", "Y", {"deceased": True}),
        ("20260306", "N", {"deceased": False, "deceased_at": "2026-03-06T06:00:00+00:00"}),
    ],
)
def test_nobody_is_dead_who_is_yet_to_die(died: str, flag: str, told: dict[str, Any]) -> None:
    message = read(adt("A08").replace(b"19480214|F", f"19480214|F{'|' * 21}{died}|{flag}".encode()))
    assert {name: value for name, value in message.demographics.items() if name.startswith("deceased")} == told
    assert ("PID-29" in message.doubts) == ("deceased_at" not in told)


def test_crlf_latin1_and_dates_without_a_day() -> None:
    message = read(specimen("a08-crlf-undeclared-latin1"))
    assert message.demographics["name"] == {"family": "Sørensen", "given": "Zoë"}
    assert message.demographics["birth_date"] == "1950-11"
    assert message.doubts == ("MSH-18",)
    assert said(message)["admitted_at"] == "2026-05-01T15:15:00+00:00"


def test_absurd_dates_count_as_missing_and_leave_doubts() -> None:
    message = read(specimen("a01-absurd-dates"))
    assert message.order.recorded == "2026-07-20T00:00:00.000000+00:00"
    assert "admitted_at" not in said(message)
    assert set(message.doubts) == {"MSH-7", "EVN-2", "PV1-44"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (specimen("a01-no-pid"), Verdict(Outcome.REJECTED, "AE", Reason.MISSING_PATIENT, 101, "PID^1")),
        (specimen("a01-no-identifier"), Verdict(Outcome.REJECTED, "AE", Reason.MISSING_PATIENT, 101, "PID^1^3")),
        (adt("A01", version="3.0"), Verdict(Outcome.REJECTED, "AR", Reason.UNSUPPORTED_VERSION, 203, "MSH^1^12")),
        (adt("A01", processing_id="T"), Verdict(Outcome.REJECTED, "AR", Reason.WRONG_PROCESSING_ID, 202, "MSH^1^11")),
        (adt("A01") + adt("A03"), Verdict(Outcome.REJECTED, "AE", Reason.SEVERAL_MESSAGES, 100, "MSH")),
        (b"MSH|^~\\&|A|GENHOSP|||||||P|2.5\r", Verdict(Outcome.REJECTED, "AE", Reason.NO_TRIGGER, 101, "MSH^1^9")),
        (adt("A01").replace(b"ADT^A01", b"BAR^P01"), Verdict(Outcome.SKIPPED, reason=Reason.UNSUPPORTED_TYPE)),
        (adt("A99"), Verdict(Outcome.SKIPPED, reason=Reason.UNSUPPORTED_TRIGGER)),
        (adt("A01", visit="", admitted=""), Verdict(Outcome.HELD, reason=Reason.NO_VISIT)),
        (
            adt("A40", retired="x").replace(b"MRG|x", b"MRG|"),
            Verdict(Outcome.REJECTED, "AE", Reason.MISSING_RETIRED_PATIENT, 101, "MRG^1^1"),
        ),
    ],
)
def test_what_is_not_applied_and_why(raw: bytes, expected: Verdict) -> None:
    found = verdict_of(raw)
    assert (found.outcome, found.code, found.reason, found.error, found.location) == (
        expected.outcome,
        expected.code,
        expected.reason,
        expected.error,
        expected.location,
    )


@pytest.mark.parametrize(
    ("visit", "account", "admitted", "expected"),
    [
        ("V1^^^GENHOSP^VN", "ACC1", "20260302", Identifier(authority="GENHOSP", type="VN", value="V1")),
        ("", "ACC1^^^OTHER", "20260302", Identifier(authority="OTHER", type="AN", value="ACC1")),
        (
            "",
            "",
            "202603020915-0600",
            Identifier(authority="GENHOSP", type="PV1-44", value="MR M1 2026-03-02T15:15:00+00:00"),
        ),
    ],
)
def test_a_visit_is_known_by_number_else_account_else_admission(
    visit: str, account: str, admitted: str, expected: Identifier
) -> None:
    pid = "|".join(["PID", "1", "", "M1^^^GENHOSP^MR", *[""] * 14, account])
    pv1 = "|".join(["PV1", "1", "I", *[""] * 16, visit, *[""] * 24, admitted])
    raw = f"MSH|^~\\&|A|GENHOSP|||20260302||ADT^A01|1|P|2.5\r{pid}\r{pv1}\r".encode()
    assert read(raw).visit == expected


def test_a_social_security_number_is_no_identity() -> None:
    raw = adt("A01").replace(b"MRN001^^^GENHOSP^MR", b"123-45-6789^^^USSSA^SS")
    assert verdict_of(raw).reason is Reason.MISSING_PATIENT


def test_unknown_words_become_other_and_leave_a_doubt() -> None:
    message = read(adt("A03", disposition="BEAM-UP"))
    assert said(message)["disposition"]["fhir"] == "oth"
    assert message.doubts == ("PV1-36",)


def test_planned_readmission_codes_are_flagged() -> None:
    disposition = said(read(adt("A03", disposition="82")))["disposition"]
    assert (disposition["nubc"], disposition["fhir"], disposition["planned_readmission"]) == ("82", "other-hcf", True)


def test_unknown_senders_run_under_default_on_loopback_only() -> None:
    assert (FEEDS.find("X", "ELSEWHERE", "10.1.2.3"), FEEDS.find("X", "GENHOSP", "10.1.2.3")) == (
        None,
        FEEDS.feeds[0],
    )
    feed = FEEDS.find("X", "ELSEWHERE", "127.0.0.1")
    assert feed is not None
    assert (feed.name, feed.facility.code, feed.facility.time_zone) == ("default", "ELSEWHERE", "UTC")


def test_what_the_log_is_searched_by_fits_its_indexes() -> None:
    arrival = read_arrival(adt("A01", control_id="7" * 5000).replace(b"ADT^A01", b"Q" * 5000 + b"^A01"), FEEDS, "")
    assert (len(arrival.control_id), len(arrival.trigger)) == (200, 60)
    assert arrival.heading is not None
    assert arrival.heading.control_id == "7" * 5000

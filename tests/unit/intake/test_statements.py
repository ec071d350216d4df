"""SIU, ORU, MDM and REF through reading and rules to events: domain vectors and their boundaries."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from services.intake.chart import Chart
from services.intake.message import Outcome, Reason
from services.intake.statement import About, Statement
from shared.events.fact import Fact
from tests.unit.intake.statements import RECORD, mdm, message, oru, read, ref, siu, take, told, types

T1, T2, T3 = "20260307090000", "20260307100000", "20260308090000"


def only(facts: list[Fact]) -> Any:
    [fact] = facts
    return fact


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([siu("S12", T1)], ["booked"]),
        ([siu("S12", T1), siu("S13", T2, "20260312090000")], ["booked", "moved"]),
        ([siu("S12", T1), siu("S14", T2)], ["booked"]),
        ([siu("S12", T1), siu("S15", T2)], ["booked", "cancelled"]),
        ([siu("S15", T2), siu("S12", T1)], ["cancelled"]),
        ([siu("S12", T1), siu("S15", T2), siu("S12", T3)], ["booked", "cancelled", "booked"]),
        ([siu("S12", T1), siu("S26", T2)], ["booked", "no-show"]),
        ([siu("S12", T1), siu("S14", T2, status="Complete")], ["booked", "attended"]),
        ([siu("S12", T1), siu("S14", T2, status="Noshow")], ["booked", "no-show"]),
        ([siu("S12", T1), siu("S17", T1)], ["booked", "cancelled"]),
        ([siu("S17", T1), siu("S12", T1)], ["cancelled"]),
        ([siu("S12", T1, status="Waitlist")], []),
        ([siu("S12", T1, filler="F1"), siu("S12", T1, filler="F2")], ["booked", "booked"]),
        ([siu("S18", T1)], ["booked"]),
    ],
)
def test_what_is_told_of_an_appointment(messages: list[bytes], expected: list[str]) -> None:
    assert types(told(*messages)) == [f"followup.appointment-{what}" for what in expected]


def test_an_appointment_keeps_its_id_and_says_where_when_and_for_which_order() -> None:
    booked, moved = told(siu("S12", T1, order="R1^GENHOSP"), siu("S13", T2, "20260312090000"))
    fact: Any = booked
    later: Any = moved
    assert fact.followup_id == later.followup_id
    assert (fact.service, fact.organisation, fact.order.value) == ("Cardiology", "GENHOSP", "R1")
    assert later.starts_at.isoformat() == "2026-03-12T09:00:00+00:00"
    assert later.order == fact.order


def test_an_appointment_says_for_what_it_is_and_with_what_kind_of_provider() -> None:
    staff = "AIP|1||77^Freud^Anna|103TC0700X^Psychologist^NUCC"
    (by_staff,) = told(siu("S12", T1, diagnosis="DG1|1||F33.1^Depression^I10|||F", staff=staff))
    (by_visit,) = told(siu("S12", T1, visit="PV1|1|O||||||||PSY", staff=staff))
    first: Any = by_staff
    other: Any = by_visit
    assert (first.specialty, [one.code for one in first.diagnoses]) == ("103TC0700X", ["F33.1"])
    assert (other.specialty, other.diagnoses) == ("PSY", ())


def test_any_order_of_an_appointments_messages_ends_in_the_same() -> None:
    messages = [siu("S12", T1), siu("S13", T2, "20260312090000"), siu("S15", T3), siu("S14", T2, status="Confirmed")]
    ends = set()
    for order in permutations(messages):
        chart = Chart({RECORD: RECORD})
        for raw in (*order, order[0]):
            take(chart, raw)
        [standing] = chart.standings.by_id.values()
        ends.add(str((standing.told or {}).get("status")) + str([sorted(s.said.items()) for s in standing.record]))
    assert len(ends) == 1


def test_results_by_value_type() -> None:
    facts: list[Any] = told(
        oru(
            T1,
            "OBX|1|NM|2951-2^Sodium^LN||138|mmol/L|136-145|N|||F",
            "OBX|2|SN|2345-7^Glucose^LN||^182|mg/dL||H|||F",
            "OBX|3|SN|9999-1^Titer^LN||>^100||||||F",
            "OBX|4|TX|18842-5^Note^LN||one||||||F",
            "OBX|5|TX|18842-5^Note^LN||two||||||F",
            "OBX|6|CE|882-1^Group^LN||A^Group A^L||||||F",
            "OBX|7|ED|PDF^Report^L||^application^pdf^Base64^AAAA||||||F",
            "OBX|8|NM|L1^Local^99L^2823-3^Potassium^LN||4.1|mmol/L|||||P",
            "OBX|9|NM|1^x^L||||||||X",
        )
    )
    assert [(f.code, f.value, f.text, f.status) for f in facts] == [
        ("2951-2", Decimal(138), None, "F"),
        ("2345-7", Decimal(182), None, "F"),
        ("9999-1", None, "> 100", "F"),
        ("18842-5", None, "one\ntwo", "F"),
        ("882-1", None, "Group A", "F"),
        ("PDF", None, None, "F"),
        ("2823-3", Decimal("4.1"), None, "P"),
    ]
    assert (facts[0].unit, facts[0].reference_range, facts[0].abnormal, facts[0].order.value) == (
        "mmol/L",
        "136-145",
        "N",
        "P9",
    )


def test_corrections_and_deletions_refer_to_the_same_result() -> None:
    first, corrected, deleted = told(
        oru(T1, "OBX|1|NM|2951-2^Sodium^LN||138|mmol/L|||||F"),
        oru(T2, "OBX|1|NM|2951-2^Sodium^LN||128|mmol/L|||||C"),
        oru(T3, "OBX|1|NM|2951-2^Sodium^LN||128|mmol/L|||||D"),
    )
    facts: list[Any] = [first, corrected, deleted]
    assert len({fact.followup_id for fact in facts}) == 1
    assert [(fact.status, fact.value) for fact in facts] == [("F", 138), ("C", 128), ("D", None)]


def test_a_late_final_does_not_overwrite_its_correction() -> None:
    corrected = oru(T2, "OBX|1|NM|2951-2^Sodium^LN||128|mmol/L|||||C")
    final = oru(T1, "OBX|1|NM|2951-2^Sodium^LN||138|mmol/L|||||F")
    assert only(told(corrected, final)).value == 128


def test_a_device_without_orders_has_one_result_a_measurement() -> None:
    def weight(sent: str, measured: str, kilograms: str) -> bytes:
        result = f"OBX|1|NM|29463-7^Weight^LN||{kilograms}|kg|||||F|||{measured}||||SCALE7"
        return message("ORU^R01", sent, "OBR|1||||", result)

    facts: list[Any] = told(weight(T1, T1, "81.6"), weight(T3, T3, "82.6"), weight(T3, T1, "81.9"))
    assert [fact.value for fact in facts] == [Decimal("81.6"), Decimal("82.6"), Decimal("81.9")]
    assert facts[0].followup_id == facts[2].followup_id != facts[1].followup_id
    assert facts[0].device == "SCALE7"


@pytest.mark.timeout(120)
def test_a_message_of_very_many_results_is_read_in_one_go() -> None:
    """Comparing each with all others would take a quarter of an hour."""
    many = 30_000
    results = (f"OBX|{n}|NM|C{n}||1||||||F|||2026030307{n % 60:02}00" for n in range(many))
    twice = (f"OBX|{n}|NM|C{n}||2||||||F|||20260303080000" for n in range(2))
    adt = read(oru(T1, *results, *twice)).adt
    assert adt
    values = [one.identifier.value for one in adt.statements]
    assert len(values) == len(set(values)) == many + 2
    assert values[0].startswith("F9|24323-8|C0||2026")
    assert values[2] == "F9|24323-8|C2|"


def test_results_of_several_patients_are_each_ones_own() -> None:
    second = "PID|2||MRN002^^^GENHOSP^MR||Testb^Bea"
    results = ("OBR|1||F1|1^x", "OBX|1|NM|1^x^L||1", second, "OBR|2||F2|1^x", "OBX|1|NM|1^x^L||2")
    adt = read(message("ORU^R01", T1, *results)).adt
    assert adt
    assert [(part.identifiers[0].value, len(part.statements)) for part in adt.parts] == [("MRN001", 1), ("MRN002", 1)]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([mdm("T02", T1)], ["available"]),
        ([mdm("T02", T1), mdm("T11", T2)], ["available", "cancelled"]),
        ([mdm("T11", T2), mdm("T02", T1)], []),
        ([mdm("T02", T1, availability="UN")], []),
        ([mdm("T02", T1, availability="UN"), mdm("T04", T2)], ["available"]),
        ([mdm("T02", T1), mdm("T10", T2, "D2", parent="D1^GENHOSP")], ["available", "cancelled", "available"]),
        ([mdm("T10", T2, "D2", parent="D1^GENHOSP"), mdm("T02", T1)], ["available"]),
        ([mdm("T02", T1), mdm("T06", T2, "D2", parent="D1^GENHOSP")], ["available", "available"]),
        ([mdm("T02", T1), mdm("T08", T2)], ["available"]),
        ([mdm("T02", T1), mdm("T04", T2, availability="OB")], ["available", "cancelled"]),
    ],
)
def test_what_is_told_of_a_document(messages: list[bytes], expected: list[str]) -> None:
    assert types(told(*messages)) == [f"followup.document-{what}" for what in expected]


def test_many_results_under_one_order_are_told_apart_by_their_time() -> None:
    many = [f"OBX|{n}|NM|8480-6^BP^LN||120|mm[Hg]|||||F|||20260303{n // 60:02}{n % 60:02}" for n in range(1_000)]
    found: list[Any] = list(told(oru(T1, *many)))
    assert len({fact.followup_id for fact in found}) == 1_000


@pytest.mark.parametrize("number", ["1E999999999", "1e-999999999", "9" * 61, "-1e31", "NaN", "Infinity"])
def test_what_nobody_can_have_measured_is_text(number: str) -> None:
    fact = only(told(oru(T1, f"OBX|1|NM|8480-6^BP^LN||{number}|mm[Hg]|||||F")))
    assert (fact.value, fact.text) == (None, number)


@pytest.mark.parametrize("number", ["0", "0.000", "1e30", "-273.15", "+182"])
def test_a_number_is_one(number: str) -> None:
    assert only(told(oru(T1, f"OBX|1|NM|8480-6^BP^LN||{number}|mm[Hg]|||||F"))).value == Decimal(number)


def test_a_document_says_what_it_is_and_nothing_of_its_content() -> None:
    fact = only(told(mdm("T02", T1)))
    assert (fact.document.value, fact.document_type, fact.completion, fact.actor) == ("D1", "DS", "LA", "Alice Attend")
    assert "text" not in fact.model_dump_json()


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([ref("I12", T1)], ["requested"]),
        ([ref("I12", T1, status="A")], ["requested", "accepted"]),
        ([ref("I12", T1), ref("I12", T2, status="A", kind="RRI")], ["requested", "accepted"]),
        ([ref("I12", T1), ref("I12", T2, status="P", kind="RRI")], ["requested", "received"]),
        (
            [ref("I12", T1), ref("I12", T3, status="A", kind="RRI"), ref("I12", T2, status="P", kind="RRI")],
            ["requested", "accepted"],
        ),
        ([ref("I12", T2, status="P", kind="RRI"), ref("I12", T1)], ["requested", "received"]),
        ([ref("I12", T2, status="R", kind="RRI"), ref("I12", T1)], ["requested", "rejected"]),
        ([ref("I12", T1), ref("I13", T2, status="", priority="R")], ["requested", "updated"]),
        ([ref("I12", T1), ref("I14", T2)], ["requested", "cancel-requested"]),
        (
            [ref("I12", T1), ref("I14", T2), ref("I14", T3, status="A", kind="RRI")],
            ["requested", "cancel-requested", "cancelled"],
        ),
        ([ref("I12", T1), ref("I13", T2, status="E")], ["requested", "expired"]),
        ([ref("I12", T1), ref("I12", T2)], ["requested"]),
        ([ref("I12", T1), ref("I15", T2, status="A")], ["requested", "status-asked"]),
        ([ref("I12", T1), ref("I15", T2), ref("I15", T2), ref("I15", T3)], ["requested", *["status-asked"] * 2]),
        ([ref("I15", T2)], []),
        ([ref("I15", T2), ref("I12", T1)], ["requested"]),
    ],
)
def test_what_is_told_of_a_referral(messages: list[bytes], expected: list[str]) -> None:
    assert types(told(*messages)) == [f"referral.{what}" for what in expected]


def test_a_referral_says_who_asks_whom_for_what() -> None:
    fact = only(told(ref("I12", T1)))
    assert (fact.identifier.value, fact.priority, fact.service, fact.reason) == (
        "R1",
        "stat",
        "Cardiology",
        "Heart failure",
    )
    assert (fact.requester, fact.requester_npi, fact.performer_npi) == ("Alice Attend", "1234567893", "1245319599")
    assert fact.status == "requested"
    assert fact.expires_at.isoformat() == "2026-04-02T00:00:00+00:00"


@pytest.mark.parametrize(
    ("raw", "outcome", "reason"),
    [
        (message("SIU^S12", T1, "SCH|1|2", pid=""), Outcome.SKIPPED, Reason.NOT_ABOUT_A_PATIENT),
        (message("SIU^S23", T1, "SCH|1|2"), Outcome.SKIPPED, Reason.NOT_ABOUT_A_PATIENT),
        (message("ORU^R01", T1, "OBR|1", pid=""), Outcome.SKIPPED, Reason.NOT_ABOUT_A_PATIENT),
        (message("MDM^T02", T1, "TXA|1", pid=""), Outcome.REJECTED, Reason.MISSING_PATIENT),
        (message("REF^I15", T1, "RF1|P"), Outcome.HELD, Reason.NO_IDENTIFIER),
        (message("SIU^S15", T1, "SCH|"), Outcome.HELD, Reason.NO_IDENTIFIER),
        (message("MDM^T11", T1, "TXA|1"), Outcome.HELD, Reason.NO_IDENTIFIER),
        (message("REF^I14", T1, "RF1|A"), Outcome.HELD, Reason.NO_IDENTIFIER),
        (message("SIU^S99", T1), Outcome.SKIPPED, Reason.UNSUPPORTED_TRIGGER),
        (message("BAR^P01", T1), Outcome.SKIPPED, Reason.UNSUPPORTED_TYPE),
    ],
)
def test_what_is_not_applied_has_its_reason(raw: bytes, outcome: Outcome, reason: Reason) -> None:
    verdict = read(raw).verdict
    assert verdict
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


def test_what_opens_a_thing_without_a_number_is_taken_with_a_doubt() -> None:
    arrival = read(message("SIU^S12", T1, "SCH||||||FOLLOWUP"))
    assert arrival.adt
    [statement] = arrival.adt.statements
    assert isinstance(statement, Statement)
    assert statement.about is About.APPOINTMENT
    assert "SCH-2" in arrival.doubts

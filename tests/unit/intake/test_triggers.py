"""Each trigger of the standard has a state change, or a reason why it has none."""

import pytest

from services.intake.chart import Chart
from services.intake.kinds import kind_of
from services.intake.lifecycle import RULES, fold
from services.intake.message import Reason
from services.intake.solitary import TAKEN_BY
from services.intake.triggers import LINKS, PATIENT_ONLY, RANKS, WITHOUT_STAY
from tests.unit.intake.messages import ICU, WARD, adt, fact
from tests.unit.intake.statements import RECORD, read, take

NEVER_GIVEN_OUT = {"A56", "A57", "A58", "A59"}
STANDARD = {f"A{number:02d}" for number in range(1, 63)} - NEVER_GIVEN_OUT
"""Chapter 3 of all versions: A30 (merge person) is of 2.2 to 2.3 alone, and replaced by A39."""
QUESTIONS = {"A19"}


@pytest.mark.parametrize("trigger", sorted(STANDARD - QUESTIONS - {"A20"}))
def test_every_trigger_has_its_change(trigger: str) -> None:
    assert kind_of("ADT", trigger).skipped is None
    assert trigger in RULES or trigger in TAKEN_BY or trigger in LINKS or trigger in PATIENT_ONLY


def test_each_trigger_about_a_stay_has_a_rule() -> None:
    assert not [trigger for trigger in RANKS if trigger not in WITHOUT_STAY and trigger not in RULES]


@pytest.mark.parametrize(
    ("message_type", "trigger", "reason"),
    [
        ("ADT", "A20", Reason.NOTHING_TO_DO),  # the status of a bed is nobody's stay
        ("ADT", "A19", Reason.NOTHING_TO_DO),  # a question
        ("QRY", "A19", Reason.NOTHING_TO_DO),
        ("QRY", "Q01", Reason.UNSUPPORTED_TYPE),
        ("ADT", "Z01", Reason.UNSUPPORTED_TRIGGER),
        *(("ADT", trigger, Reason.UNSUPPORTED_TRIGGER) for trigger in sorted(NEVER_GIVEN_OUT)),
    ],
)
def test_what_changes_nothing_says_why(message_type: str, trigger: str, reason: Reason) -> None:
    assert kind_of(message_type, trigger).skipped is reason


@pytest.mark.parametrize("trigger", ["A09", "A10", "A15", "A26", "A32", "A33"])
def test_tracking_and_pending_moves_change_no_place(trigger: str) -> None:
    state = fold([fact("A01", "08:00", location=WARD), fact(trigger, "09:00", location=ICU)])
    assert state.location == WARD
    assert [milestone.kind.value for milestone in state.milestones] == ["admitted"]


def test_a_swap_gives_each_the_others_bed() -> None:
    chart = Chart({RECORD: RECORD})
    first = adt("A17").replace(b"MRN001", b"MRN001")
    second = b"PID|2||MRN002^^^GENHOSP^MR||Testb\rPV1|2|I|5E^1^A|||" + b"|" * 13 + b"V2^^^GENHOSP^VN\r"
    arrival = read(first + second)
    assert arrival.adt
    assert [part.visit.value for part in arrival.adt.parts if part.visit] == ["V1001", "V2"]
    take(chart, first + second)
    assert sorted(stay.state.location["point_of_care"] for stay in chart.stays.values() if stay.state.location) == [
        "4W",
        "5E",
    ]


def test_allergies_are_added_changed_and_deleted_one_by_one() -> None:
    def a60(at: str, *segments: str) -> bytes:
        return adt("A60", recorded=at, control_id=at) + "\r".join((*segments, "")).encode()

    chart = Chart({RECORD: RECORD})
    take(chart, a60("20260302090000", "IAM|1|DA|70618^Penicillin^RXN|SV|rash|A", "IAM|2|FA|256349002^Peanut^SCT|MO||A"))
    take(chart, a60("20260303090000", "IAM|1|DA|70618^Penicillin^RXN|||D", "IAM|2|FA|256349002^Peanut^SCT|||X"))
    [peanut] = chart.patients[RECORD].summary().allergies
    assert (peanut.code, peanut.text, peanut.type, peanut.severity) == ("256349002", "Peanut", "FA", "MO")


def test_a_deleted_person_is_a_tombstone_that_can_come_back() -> None:
    chart = Chart({RECORD: RECORD})
    take(chart, adt("A28", recorded="20260302090000", control_id="1"))
    take(chart, adt("A29", recorded="20260303090000", control_id="2"))
    assert not chart.patients[RECORD].summary().is_active
    assert chart.patients[RECORD].summary().name.family == "Testa"
    take(chart, adt("A28", recorded="20260304090000", control_id="3"))
    assert chart.patients[RECORD].summary().is_active

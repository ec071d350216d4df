"""The feeds file: what is wrong is told by feed and key, and what a profile means for a message."""

from datetime import UTC, datetime, time, timedelta

import pytest

from services.intake import er7
from services.intake.arrival import read_arrival
from services.intake.feed_file import BrokenFeedsError, parse_feeds
from services.intake.feeds import Feed, Feeds, Rhythm
from services.intake.unknown_codes import NOT_A_CODE, Tally, UnknownCode, told, unknown_codes
from tests.unit.intake.messages import adt

FILE = """
feeds:
  - name: north
    senders: [{{ facility: GENHOSP }}]
    facility: {{ code: GENHOSP, time_zone: America/Chicago }}
    {more}
"""


def feeds(more: str = "") -> Feeds:
    return parse_feeds(FILE.format(more=more))


def feed(more: str = "") -> Feed:
    return feeds(more).feeds[0]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            "dispositions: { HOSP: '99' }",
            "feed north: dispositions.HOSP: is no code of NUBC FL17, such as 01, 03 or 20",
        ),
        ("classes: { INP: X }", "feed north: classes.INP: is no code of HL7 table 0004, such as E, I or O"),
        ("fallback_charset: latin-99", "feed north: fallback_charset: is no charset that Python knows"),
        ("colour: green", "feed north: colour: Extra inputs are not permitted"),
        ("facilities: { W: { code: W, time_zone: Mars } }", "feed north: facilities.W: time_zone is no IANA zone"),
        ("rhythm: { quiet_minutes: 0 }", "feed north: rhythm.quiet_minutes: Input should be greater than"),
        ("acknowledge: never", "feed north: acknowledge: Input should be 'as-asked'"),
        ("triggers: [A01, [", "line 7, column 1: is no YAML"),
    ],
)
def test_a_broken_file_names_feed_and_key(more: str, problem: str) -> None:
    with pytest.raises(BrokenFeedsError) as broken:
        feeds(more)
    assert str(broken.value).startswith(problem)


def test_what_is_wrong_with_the_file_as_a_whole_and_with_a_feed_without_a_name() -> None:
    for text, problem in (
        ("[]", "Input should be a valid dictionary"),
        ("feeds: [{}]", "feed number 1: name: Field required"),
        ("feeds: 7", "feeds: Input should be a valid"),
    ):
        with pytest.raises(BrokenFeedsError) as broken:
            parse_feeds(text)
        assert str(broken.value).startswith(problem)


def test_an_unquoted_code_of_yaml_is_meant_as_written() -> None:
    assert feed("dispositions: { HOME: 01, DIED: 20, AMA: 7 }").dispositions == {
        "HOME": "01",
        "DIED": "20",
        "AMA": "07",
    }


def test_a_feed_may_speak_for_several_facilities() -> None:
    several = feed("facilities: { WEST: { code: WESTSIDE, time_zone: America/Denver } }")
    assert [several.place(code).code for code in ("WEST", "EAST", None)] == ["WESTSIDE", "GENHOSP", "GENHOSP"]


@pytest.mark.parametrize(
    ("clock", "minutes"), [("06:59", 240), ("07:00", 30), ("18:59", 30), ("19:00", 240), ("23:30", 240)]
)
def test_the_rhythm_is_of_the_facilitys_day(clock: str, minutes: int) -> None:
    rhythm = Rhythm(quiet_minutes=30, quiet_minutes_at_night=240)
    assert rhythm.longest_silence(time.fromisoformat(clock)) == timedelta(minutes=minutes)
    # 18:30 in Chicago is half past midnight in UTC.
    configured = feed("rhythm: { quiet_minutes: 30, quiet_minutes_at_night: 240 }")
    assert configured.longest_silence(datetime(2026, 3, 3, 0, 30, tzinfo=UTC)) == timedelta(minutes=30)
    assert feed().longest_silence(datetime(2026, 3, 3, tzinfo=UTC)) is None


def test_a_day_may_end_after_midnight() -> None:
    rhythm = Rhythm(quiet_minutes=10, quiet_minutes_at_night=60, day=(time(20), time(4)))
    found = [rhythm.longest_silence(time(hour)).total_seconds() / 60 for hour in (3, 4, 19, 20)]
    assert found == [10, 60, 60, 10]


def test_a_trigger_that_is_not_listed_is_stored_without_effect() -> None:
    listed = feeds("triggers: [A01, A03]")
    taken, left = (read_arrival(adt(trigger), listed, "10.0.0.1") for trigger in ("A01", "A08"))
    assert (taken.verdict, taken.adt is not None) == (None, True)
    assert left.verdict is not None
    assert (left.verdict.code, left.verdict.outcome.value, left.verdict.reason) == (
        "AA",
        "skipped",
        "trigger-not-taken",
    )


@pytest.mark.parametrize(
    ("asked", "mode", "conditions"),
    [
        ("|", "as-asked", ("", "")),
        ("AL|NE", "as-asked", ("AL", "NE")),
        ("AL|AL", "original", ("", "")),
        ("|", "enhanced", ("AL", "NE")),
    ],
)
def test_a_feed_may_want_one_kind_of_acknowledgement(asked: str, mode: str, conditions: tuple[str, str]) -> None:
    heading = read_arrival(adt("A01", modes=asked), feeds(f"acknowledge: {mode}"), "10.0.0.1").heading
    assert heading is not None
    assert (heading.accept_condition, heading.application_condition) == conditions


@pytest.mark.parametrize(
    ("more", "message", "found"),
    [
        ("", adt("A01"), []),
        ("", adt("A01", patient_class="INP"), [("PV1-2", "INP")]),
        ("classes: { INP: I }", adt("A01", patient_class="INP"), []),
        ("", adt("A03", disposition="HOME"), [("PV1-36", "HOME")]),
        ("dispositions: { HOME: 01 }", adt("A03", disposition="HOME"), []),
        ("", adt("A03", disposition="Testa, Ann Q. born 1948"), [("PV1-36", NOT_A_CODE)]),
        ("facilities: { W: { code: W } }", adt("A01", location="4W^1^A^EAST"), [("PV1-3.4", "EAST")]),
        ("authorities: { OTHER: GENHOSP }", adt("A01"), []),
        ("authorities: { GENHOSP: GH }", adt("A01", facility="LAKE"), [("PID-3.4", "LAKE")]),
    ],
)
def test_unknown_codes_are_found_by_field(more: str, message: bytes, found: list[tuple[str, str]]) -> None:
    assert list(unknown_codes(er7.read(message), feed(more))) == found


def test_what_may_be_no_code_is_not_kept() -> None:
    assert [told(code) for code in ("HOME", "home health", "a b c", "x" * 21)] == [
        "HOME", "home health", NOT_A_CODE, NOT_A_CODE,
    ]  # fmt: skip


def test_counts_wait_until_they_are_written_down() -> None:
    tally = Tally()
    tally.count("north", "PV1-2", "INP")
    tally.count("north", "PV1-2", "INP")
    taken = tally.take()
    assert (taken, tally.take()) == ({UnknownCode("north", "PV1-2", "INP"): 2}, {})
    tally.put_back(taken)
    assert tally.take() == taken

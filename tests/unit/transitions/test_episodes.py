"""Stays that are one episode, and who was back within 72 hours; the disposition table."""

from datetime import timedelta
from uuid import UUID

import pytest

from services.transitions.disposition import DIED, PLANNED, TABLE, TRANSFERRED, base_of, is_index, is_planned
from shared.events.people import EncounterClass
from shared.events.transitions import QuickReturnDetected, TransitionChanged
from tests.unit.transitions.stays import NEW_YORK, StayTold, Ward, at, contact

LEFT = "2026-03-06 15:00-06:00"
IMP, EMER, OBS = EncounterClass.INPATIENT, EncounterClass.EMERGENCY, EncounterClass.OBSERVATION


def episode(first: StayTold, second: StayTold, came: str, nubc: str = "01", left: str = LEFT) -> UUID | None:
    ward = Ward().hear(first.admit("2026-03-02 08:00-06:00"), first.discharge(left, nubc), second.admit(came))
    assert ward.of(first).transition.episode_id is None
    return ward.of(second).transition.episode_id


@pytest.mark.parametrize(
    ("came", "nubc", "is_one"),
    [
        ("2026-03-06 16:00-05:00", "02", True),  # at once
        ("2026-03-07 23:00-05:00", "02", True),  # the next day in New York
        ("2026-03-08 00:30-05:00", "02", False),  # two days
        ("2026-03-07 10:00-05:00", "82", True),  # planned to come back: a transfer all the same
        ("2026-03-07 10:00-05:00", "01", False),  # sent home, and back the next day
        ("2026-03-06 23:00-05:00", "01", True),  # the same day elsewhere
        ("2026-03-06 23:00-05:00", "65", True),
        ("2026-03-07 10:00-05:00", "03", False),
    ],
)
def test_a_direct_transfer_is_one_episode(came: str, nubc: str, *, is_one: bool) -> None:
    first, second = StayTold(), StayTold(facility=NEW_YORK)
    assert episode(first, second, came, nubc) == (first.id if is_one else None)


@pytest.mark.parametrize(
    ("code", "came", "is_one"),
    [
        ("I50.9", "2026-03-06 20:00-06:00", True),
        ("I50.33", "2026-03-06 20:00-06:00", True),
        ("J44.1", "2026-03-06 20:00-06:00", False),
        ("I50.9", "2026-03-07 00:30-06:00", False),
    ],
)
def test_back_on_the_same_day_for_the_same_condition_is_one_episode(code: str, came: str, *, is_one: bool) -> None:
    first, second = StayTold(diagnoses=("I50.9",)), StayTold(diagnoses=(code,))
    assert episode(first, second, came) == (first.id if is_one else None)


def test_an_emergency_visit_is_no_part_of_an_episode() -> None:
    visit, stay = StayTold(encounter_class=EMER), StayTold(facility=NEW_YORK)
    assert episode(visit, stay, "2026-03-06 16:00-05:00", "02") is None


def test_an_episode_begins_with_its_first_stay_and_its_last_discharge_is_the_index() -> None:
    home, first, second, third, after = (StayTold(), StayTold(), StayTold(facility=NEW_YORK), StayTold(), StayTold())
    story = [
        home.admit("2026-02-01 08:00-06:00"),
        home.discharge("2026-02-10 08:00-06:00"),
        first.admit("2026-03-02 08:00-06:00"),
        first.discharge(LEFT, "02"),
        second.admit("2026-03-06 18:00-05:00"),
        second.discharge("2026-03-09 10:00-04:00", "02"),
        third.admit("2026-03-09 12:00-05:00"),
        third.discharge("2026-03-20 12:00-05:00"),
        after.admit("2026-04-19 09:00-05:00"),
    ]
    for told in (story, story[::-1]):
        ward = Ward().hear(*told)
        began = [ward.of(stay).transition.episode_id for stay in (home, first, second, third, after)]
        assert began == [None, None, first.id, first.id, None]
        returns = [ward.of(stay).readmission for stay in (first, second, third, after)]
        assert [(r.earlier_encounter_id, r.days) if r else None for r in returns] == [
            (home.id, 20),
            None,
            None,
            (third.id, 30),
        ]


def test_a_transfer_taken_back_ends_the_episode() -> None:
    first, second = StayTold(), StayTold(facility=NEW_YORK)
    ward = Ward().hear(first.discharge(LEFT, "02"), second.admit("2026-03-06 18:00-05:00"))
    assert ward.of(second).transition.episode_id == first.id
    ward.hear(first.take_back_discharge("2026-03-06 19:00-05:00"))
    assert ward.of(second).transition.episode_id is None


def returned(first: EncounterClass, second: EncounterClass, came: str, nubc: str = "01") -> int | None:
    left, back = StayTold(encounter_class=first), StayTold(encounter_class=second)
    ward = Ward().hear(left.admit("2026-03-05 08:00-06:00"), left.discharge(LEFT, nubc), back.admit(came))
    hours = ward.of(back).transition.returned_after_hours
    told = [draft.fact for draft in ward.said if isinstance(draft.fact, QuickReturnDetected)]
    assert [(f.earlier_encounter_id, f.hours) for f in told] == ([(left.id, hours)] if hours is not None else [])
    return hours


AT_72 = (at(LEFT) + timedelta(hours=72)).isoformat(sep=" ")
AFTER_72 = (at(LEFT) + timedelta(hours=72, seconds=1)).isoformat(sep=" ")


@pytest.mark.parametrize(
    ("first", "second", "came", "nubc", "hours"),
    [
        (EMER, EMER, "2026-03-06 15:00-06:00", "01", 0),
        (EMER, EMER, AT_72, "01", 72),
        (EMER, EMER, AFTER_72, "01", None),
        (IMP, EMER, "2026-03-07 15:59-06:00", "01", 24),
        (IMP, IMP, "2026-03-08 16:00-05:00", "01", 48),  # 48 hours, on a night of 23
        (EMER, IMP, "2026-03-07 03:00-06:00", "01", None),  # the stay that the visit led to
        (EMER, IMP, "2026-03-07 03:01-06:00", "01", 12),
        (EMER, OBS, "2026-03-06 18:00-06:00", "01", None),
        (IMP, EMER, "2026-03-07 15:00-06:00", "02", None),  # transferred
        (IMP, EMER, "2026-03-07 15:00-06:00", "07", 24),  # against advice, and back
        (IMP, EMER, "2026-03-07 15:00-06:00", "03", 24),
    ],
)
def test_back_within_72_hours(
    first: EncounterClass, second: EncounterClass, came: str, nubc: str, hours: int | None
) -> None:
    assert returned(first, second, came, nubc) == hours


def test_a_return_that_is_none_after_all_is_told_by_the_transition() -> None:
    left, back = StayTold(encounter_class=EMER), StayTold(encounter_class=EMER)
    ward = Ward().hear(left.discharge(LEFT), back.arrive("2026-03-07 15:00-06:00"))
    assert ward.of(back).transition.returned_from == left.id
    ward.hear(left.cancel("2026-03-07 16:00-06:00"))
    assert ward.of(back).transition.returned_from is None
    told = [d.fact for d in ward.said if isinstance(d.fact, TransitionChanged)]
    assert (told[-1].transition.encounter_id, told[-1].transition.returned_from) == (back.id, None)
    assert ward.said_types().count("transition.quick-return-detected") == 1
    before = len(ward.said)
    ward.hear(contact("2026-03-07 17:00-06:00"))
    assert len(ward.said) == before


@pytest.mark.parametrize(
    ("nubc", "index"),
    [
        *((code, True) for code in ("01", "03", "04", "06", "21", "61", "62", "64", "70", "86", "99", None)),
        *(
            (code, False)
            for code in ("02", "05", "07", "20", "30", "40", "41", "42", "43", "50", "51", "63", "65", "66")
        ),
    ],
)
def test_which_dispositions_are_an_index(nubc: str | None, *, index: bool) -> None:
    assert is_index(nubc) is index


def test_the_table_reads_planned_codes_as_their_base() -> None:
    assert len(PLANNED) == 15
    assert (base_of("81"), base_of("88"), base_of("95"), base_of(None)) == ("01", "43", "70", "unknown")
    assert is_planned("90")
    assert not is_planned("70")
    assert {"20", "40", "41", "42"} == DIED
    assert {"02", "05", "43", "63", "65", "66"} == TRANSFERRED
    assert TABLE.codes["07"].kind == "against-advice"

"""The roster's file: what it may say, and what it may not remove."""

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.notifications.roster import Link, Roster, RosterError, read_roster, removed, removes_too_much

FILE = Path(__file__).parents[3] / "deploy" / "roster.yaml"


def test_the_stacks_own_roster_reads() -> None:
    roster = read_roster(FILE)
    assert {"lakeside-primary-care", "community-health-exchange"} <= {one.slug for one in roster.organisations}


def test_every_npi_of_it_has_a_valid_check_digit() -> None:
    npis = [link.key for link in read_roster(FILE).links() if link.kind == "practitioner"]
    assert all(_luhn("80840" + npi) for npi in npis)
    assert len(npis) == len(set(npis))


def _luhn(digits: str) -> bool:
    doubled = [int(d) * (1 + place % 2) for place, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def test_entries_are_plain_or_dated() -> None:
    roster = Roster.model_validate(
        {
            "organisations": [
                {
                    "slug": "clinic",
                    "name": "Clinic",
                    "practitioners": ["1000000004", {"npi": "1000079503", "from": "2026-01-01", "until": "2026-06-30"}],
                    "panel": [{"authority": "A", "value": "1"}],
                }
            ]
        }
    )
    assert roster.links() == [
        Link("panel", "A|1", "clinic", date.min, date.max),
        Link("practitioner", "1000000004", "clinic", date.min, date.max),
        Link("practitioner", "1000079503", "clinic", date(2026, 1, 1), date(2026, 6, 30)),
    ]


@pytest.mark.parametrize(
    "organisation",
    [
        {"slug": "Upper"},
        {"slug": "under_score"},
        {"slug": "dots.in.it"},
        {"slug": "-edge"},
        {"slug": "x" * 63},
        {"slug": "clinic", "practitioners": ["12345"]},
        {"slug": "clinic", "from": "2026-02-01", "until": "2026-01-01"},
        {"slug": "clinic", "surprise": 1},
    ],
)
def test_what_is_refused(organisation: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Roster.model_validate({"organisations": [{"name": "Clinic", **organisation}]})


def test_an_organisation_stands_in_it_once() -> None:
    with pytest.raises(ValidationError):
        Roster.model_validate({"organisations": [{"slug": "a", "name": "A"}, {"slug": "a", "name": "B"}]})


@pytest.mark.parametrize(
    ("text", "says"), [("organisations: [", "is no YAML"), ("organisations: 3", "organisations"), ("[]", "model_type")]
)
def test_a_wrong_file_says_where(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "roster.yaml"
    file.write_text(text)
    with pytest.raises(RosterError, match=says):
        read_roster(file)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(RosterError, match="can't be read"):
        read_roster(tmp_path / "none.yaml")


@pytest.mark.parametrize(("before", "gone", "too_much"), [(10, 2, False), (10, 3, True), (0, 0, False), (1, 1, True)])
def test_more_than_a_fifth_is_too_much(before: int, gone: int, *, too_much: bool) -> None:
    assert removes_too_much(before, gone) is too_much


def test_what_is_removed_is_counted_by_key_not_by_dates() -> None:
    roster = Roster.model_validate({"organisations": [{"slug": "a", "name": "A", "codes": ["X"]}]})
    assert removed({("code", "X", "a"), ("code", "Y", "a")}, roster) == 1


def clinic(**said: object) -> Roster:
    return Roster.model_validate({"organisations": [{"slug": "clinic", "name": "Clinic", **said}]})


ASKED = {"notice": "care.encounter.discharged.v1", "priority": "urgent", "source": "own choice"}


def test_an_organisation_may_have_to_acknowledge_notices() -> None:
    [one] = clinic(must_acknowledge=[{**ASKED, "bases": ["pcp"]}]).organisations
    assert one.asked() == [{**ASKED, "bases": ["pcp"]}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"notice": "care.task.overdue.v1"},
        {"notice": "care.referral.requested.v1"},
        {"notice": "care.encounter.discharge-cancelled.v1"},
        {"priority": "soon"},
        {"bases": ["neighbour"]},
        {"source": ""},
        {"within": "PT1H"},
    ],
)
def test_what_no_notice_of_a_stay_can_be_asked_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        clinic(must_acknowledge=[ASKED | wrong])


def test_who_must_acknowledge_what_makes_a_roster_new_and_its_absence_does_not() -> None:
    """A file from before, loaded already, is not loaded again over what people put in place since."""
    before = "1a07faed374e44380e219fd0477bc62e3a8d735a000f61d4acb03b3f44cd4e5a"
    assert clinic(must_acknowledge=[]).digest == clinic().digest == before
    assert clinic(must_acknowledge=[ASKED]).digest != clinic().digest

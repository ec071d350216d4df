"""Who must know, on which bases, and when memberships count."""

from datetime import date

import pytest

from services.notifications.announcement import Announcement
from services.notifications.announcing import announcement_of
from services.notifications.directory import Directory, Membership, Spell
from services.notifications.routing import who_must_know
from shared.events import AnyEvent
from tests.unit.notifications.stories import ATTENDING_NPI, NOW, PCP_NPI, Stay, directory


def noticed(event: AnyEvent) -> Announcement:
    said = announcement_of(event)
    assert said is not None
    return said


def test_everyone_named_by_the_stay_and_who_listens_by_choice() -> None:
    found = who_must_know(noticed(Stay(discharged_to="WILLOW").discharged()), directory(), NOW)
    assert found == {
        "hospitalists": ("attending",),
        "primary": ("pcp",),
        "nursing": ("receiving-facility",),
        "exchange": ("subscription",),
    }


def test_all_bases_of_one_organisation_are_kept_strongest_first() -> None:
    one = Membership("clinic")
    known = directory(
        practitioners={ATTENDING_NPI: (one,), PCP_NPI: (one,)},
        codes={"WILLOW": (one,)},
        panels={"GENHOSP|MRN-p1": (one,)},
        subscriptions={"GENHOSP": (one,)},
    )
    found = who_must_know(noticed(Stay(discharged_to="WILLOW").discharged()), known, NOW)
    assert found == {"clinic": ("attending", "receiving-facility", "pcp", "panel", "subscription")}


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        (date.min, date.max, True),
        (date(2026, 3, 10), date.max, True),
        (date(2026, 3, 11), date.max, False),
        (date.min, date(2026, 3, 10), True),
        (date.min, date(2026, 3, 9), False),
    ],
)
def test_a_membership_counts_on_its_days_only(first: date, last: date, *, told: bool) -> None:
    known = Directory(practitioners={PCP_NPI: (Membership("primary", Spell(first, last)),)})
    assert (who_must_know(noticed(Stay().discharged()), known, NOW) != {}) is told


def test_a_membership_that_ended_between_the_event_and_today_does_not_count() -> None:
    known = Directory(practitioners={PCP_NPI: (Membership("primary", Spell(date.min, date(2026, 3, 12))),)})
    said = noticed(Stay().discharged())
    assert who_must_know(said, known, NOW) == {"primary": ("pcp",)}
    assert who_must_know(said, known, NOW.replace(day=13)) == {}


def test_a_task_goes_to_the_care_teams_inbox_and_not_to_the_hospital() -> None:
    assert who_must_know(noticed(Stay().task()), directory(), NOW) == {"primary": ("care-team",)}

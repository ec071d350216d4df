"""What pages show, as pure values: cards, hops, masks, places in lists, forms."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.dashboard.cards import card_of, place_of, task_line
from services.dashboard.clocks import Urgency
from services.dashboard.forms import csrf_of
from services.dashboard.hops import service_line
from services.dashboard.keyset import read_place, read_rank, written
from services.dashboard.pages.page import home_of
from services.dashboard.projecting import ANY_STAY, announced
from services.dashboard.sight import Who, masked, sight_of
from shared.http import Caller, Problem, Role

NOW = datetime(2026, 3, 6, 18, 0, tzinfo=UTC)
ID = UUID("01a200f0-efde-703e-a70b-a892f839b8c9")
ADA = Who("p1", "Ada Okafor", "born 1948", masked=False)


def transition(**changed: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": ID, "status": "following", "next_due_at": NOW - timedelta(hours=1), "next_task": "Call",
        "next_role": "care-manager", "done_tasks": 1, "open_tasks": 2, "escalation_level": 1, "ward": "4 West",
        "room": None, "bed": "B", "facility": "NORTH", "facility_name": None, "encounter_class": "IMP",
        "admitted_at": NOW - timedelta(days=4), "discharged_at": NOW - timedelta(days=3), "status_at": NOW,
        "diagnoses": ["I50.9 Heart failure"], "readmission_days": None, "rank_at": NOW,
        "risk": None, "scores": None, "risk_priority": None,
    }  # fmt: skip
    return row | changed


def test_a_card_shows_the_next_task_and_its_clock() -> None:
    card = card_of(transition(), ADA, NOW)
    assert (card.clock.urgency, card.next_task, card.done, card.total) == (Urgency.OVERDUE, "Call", 1, 3)
    assert (card.place, card.facility, card.class_words) == ("4 West · B", "NORTH", "inpatient")
    assert card.since == "discharged 3 d 0 h ago"


@pytest.mark.parametrize("status", ["on-hold", "closed", "revoked"])
def test_where_no_clock_runs_no_clock_is_shown(status: str) -> None:
    card = card_of(transition(status=status), ADA, NOW)
    assert (card.clock.urgency, card.next_task, card.escalation) == (Urgency.NONE, None, 0)


def test_a_place_on_the_board_is_read_as_it_was_written() -> None:
    assert read_rank(place_of(transition())) == (1, NOW, 2, ID)
    assert read_rank(place_of(transition(escalation_level=0, risk_priority=1))) == (0, NOW, 1, ID)
    assert read_place(place_of(transition(status="closed"))) == (NOW, ID)
    assert read_rank(None) is None
    at = NOW.isoformat()
    numbers = (f"-1_{at}_2_{ID}", f"99999_{at}_2_{ID}", f"1_{at}_high_{ID}")
    for wrong in ("x", f"{at}_{ID}", *numbers, f"1_{at}_2_x", f"1_noon_2_{ID}", f"1_{at}_2_{ID}_1"):
        with pytest.raises(Problem):
            read_rank(wrong)


def test_a_diagnosis_is_for_those_who_may_see_the_name() -> None:
    assert card_of(transition(), ADA, NOW).diagnosis == "I50.9 Heart failure"
    assert card_of(transition(), Who("p1", masked("p1")), NOW).diagnosis is None


def test_what_people_typed_is_for_those_who_may_see_the_name() -> None:
    row = {
        "id": ID, "version": 3, "title": "Call", "owner_role": "care-manager", "owner": None, "status": "completed",
        "due_at": NOW, "due_explained": "two days", "protocol": "tcm@1", "escalation_level": 0,
        "outcome": "Ada was reached", "reason": None, "told_by": ID, "evidence_event_id": None,
        "closure": "met", "rests_until": None, "acknowledged_by": None,
    }  # fmt: skip
    assert task_line(row, "UTC", NOW, free_text=True).outcome == "Ada was reached"
    assert task_line(row, "UTC", NOW, free_text=False).outcome is None
    assert task_line(row, "UTC", NOW, free_text=True).clock.urgency is Urgency.NONE


def test_a_place_in_a_list_survives_its_link() -> None:
    assert read_place(written((NOW, ID))) == (NOW, ID)
    assert read_place("") is None
    for wrong in ("x", "2026-01-01_x", f"never_{ID}"):
        with pytest.raises(Problem):
            read_place(wrong)


def caller(*roles: Role, facilities: tuple[str, ...] = ()) -> Caller:
    return Caller(subject="s", roles=frozenset(roles), facilities=frozenset(facilities))


def test_names_are_for_care_managers_and_admins() -> None:
    assert [role for role in Role if sight_of(caller(role)).names] == [Role.CARE_MANAGER, Role.ADMIN]
    bound = sight_of(caller(Role.CARE_MANAGER, facilities=("NORTH",)))
    assert bound.covers("NORTH", None)
    assert not bound.covers("LAKE", None)
    assert sight_of(caller(Role.CARE_MANAGER)).covers("LAKE", None)
    told = sight_of(Caller(subject="s", roles=frozenset({Role.CARE_MANAGER}), organisation="oak"))
    assert [told.covers("LAKE", whose) for whose in ("oak", "elm", None)] == [True, False, False]


def test_everyone_has_a_first_page_or_none() -> None:
    homes = {role: home_of(caller(role)) for role in Role}
    assert homes[Role.INTEGRATION] == "/feeds"
    assert homes[Role.OPS] == homes[Role.CARE_MANAGER] == homes[Role.AUDITOR] == homes[Role.ADMIN] == "/"
    assert homes[Role.PROVIDER] == "/notices"


def test_hops_say_what_is_slow_and_what_waits_for_a_person() -> None:
    said = {
        "hops": [
            {"name": "outbox", "count": 3, "oldest_seconds": 0.2},
            {"name": "consumer care.encounters.v1", "count": 9, "oldest_seconds": 12},
            {"name": "parked", "count": 1, "oldest_seconds": 9000},
            {"name": "dead letters", "count": 0, "oldest_seconds": None},
        ]
    }
    line = service_line("intake", said)
    assert [hop.words for hop in line.hops] == ["flowing", "slow", "waits for a person", "empty"]
    assert line.hops[1].name == "reads encounters"
    assert line.state == "slow"
    assert service_line("intake", Problem(503, "intake does not answer")).state == "away"
    assert service_line("intake", {"hops": []}).state == "good"


def test_too_many_stays_are_announced_as_any() -> None:
    few = {"board": 3, "stay:1": 1}
    assert announced(few) == few
    many = {"board": 3} | {f"stay:{number}": 1 for number in range(500)}
    assert announced(many) == {"board": 3, ANY_STAY: 500}


def test_a_forms_token_belongs_to_one_session() -> None:
    assert csrf_of("one") == csrf_of("one")
    assert csrf_of("one") != csrf_of("other")

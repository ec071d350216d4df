"""The worked patient of docs/transitions.md: each line of the table is told to the rules and checked."""

import re
from pathlib import Path

import pytest

from services.transitions.due import due
from services.transitions.protocols import DueRule
from shared.events import AnyEvent
from tests.unit.transitions.stays import (
    CHICAGO,
    StayTold,
    Ward,
    at,
    attempt,
    attended,
    contact,
    delivered,
    measured,
    reconciled,
    taught_back,
)

PAGE = Path(__file__).parents[3] / "docs" / "transitions.md"
LINE = re.compile(r"^\| (\d{4}-\d\d-\d\d \d\d:\d\d[+-]\d\d:\d\d) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


class Told:
    """Tells the words of the table as events."""

    def __init__(self) -> None:
        self.stay = StayTold(diagnoses=("I50.9",))
        self.discharge: AnyEvent | None = None

    def event(self, when: str, words: str) -> AnyEvent:
        match words:
            case "admitted":
                return self.stay.admit(when)
            case "discharged home":
                self.discharge = self.stay.discharge(when)
                return self.discharge
            case "discharge taken back":
                return self.stay.take_back_discharge(when)
            case "notice delivered":
                assert self.discharge is not None
                return delivered(self.discharge, when)
            case _:
                verbs = {
                    "contact attempted": attempt,
                    "contact made": contact,
                    "visit attended": attended,
                    "medications reconciled": reconciled,
                    "taught back weights": taught_back,
                    "potassium measured": measured,
                }
                return verbs[words](when)


def check(ward: Ward, stay: StayTold, claim: str) -> None:
    subject, _, said = claim.partition(" ")
    if subject == "transition":
        assert ward.of(stay).transition.status == said, claim
        return
    task = ward.task(stay, subject).task
    if said.startswith("due "):
        assert task.due_at is not None
        assert task.due_at == due(DueRule(calendar_days=0), at(f"{said[4:]} 12:00-06:00"), CHICAGO).at, claim
    else:
        assert said in {task.status, task.outcome, task.closure}, claim


def test_every_line_of_the_worked_patient_holds() -> None:
    lines = LINE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(lines) == 13
    told, ward = Told(), Ward()
    for when, words, then in lines:
        ward.hear(told.event(when, words.strip()))
        for claim in then.split(";"):
            check(ward, told.stay, claim.strip())


@pytest.mark.parametrize("utc", ["2026-03-11 04:59:59.999999+00:00"])
def test_the_contacts_end_in_utc(utc: str) -> None:
    assert due(DueRule(business_days=2), at("2026-03-06 15:00-06:00"), CHICAGO).at == at(utc)

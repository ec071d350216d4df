"""The worked patients of docs/transitions.md: each line of each table is told to the rules and checked."""

import pytest

from services.transitions.due import due
from services.transitions.protocols import DueRule, Library, Protocol, read_protocols
from tests.unit.transitions.stays import CHICAGO, PROTOCOLS, Ward, at
from tests.unit.transitions.worked import Told, patients

EVERY = read_protocols(PROTOCOLS, demo=True, programmes=["project-red"])
WORKED = {heading: (stay, lines) for heading, stay, lines in patients()}


def library_for(name: str) -> Library:
    """What applies anyway, and the optional protocol or the demonstration where the patient is theirs."""
    return Library([p for p in EVERY if p.name == name or not (p.demo or p.optional)])


def protocol_of(heading: str) -> str:
    """The one that the heading names first."""
    return heading.split("`")[1]


@pytest.mark.parametrize("heading", WORKED)
def test_every_line_of_the_worked_patient_holds(heading: str) -> None:
    stay, lines = WORKED[heading]
    assert lines, f"{heading} has a patient without a line"
    told = Told.of(stay, Ward(library_for(protocol_of(heading))))
    for when, words, then in lines:
        told.tell(when, words)
        for claim in then.split(";"):
            told.check(claim.strip())


def test_every_protocol_has_its_patient() -> None:
    assert {protocol_of(heading) for heading in WORKED} == {protocol.name for protocol in EVERY}


@pytest.mark.parametrize("protocol", EVERY, ids=lambda protocol: str(protocol.name))
def test_every_task_is_spoken_of_and_somebody_is_told(protocol: Protocol) -> None:
    """A clock that no line shows is one that nobody looked at."""
    worked = [lines for heading, (_, lines) in WORKED.items() if protocol_of(heading) == protocol.name]
    claims = [claim.strip() for lines in worked for _, _, then in lines for claim in then.split(";")]
    assert {task.code for task in protocol.tasks} <= {claim.split()[0] for claim in claims}
    climbed = {f"{task.code} told {step.role}" for task in protocol.tasks for step in task.ladder}
    assert not climbed or climbed & set(claims)


@pytest.mark.parametrize("utc", ["2026-03-11 04:59:59.999999+00:00"])
def test_the_contacts_end_in_utc(utc: str) -> None:
    assert due(DueRule(business_days=2), at("2026-03-06 15:00-06:00"), CHICAGO).at == at(utc)

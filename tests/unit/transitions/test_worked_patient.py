"""The worked patients of docs/transitions.md: each line of each table is told to the rules and checked."""

import pytest

from services.transitions.due import due
from services.transitions.protocols import DueRule, Library, read_protocols
from tests.unit.transitions.stays import CHICAGO, PROTOCOLS, Ward, at
from tests.unit.transitions.worked import Told, patients

EVERY = read_protocols(PROTOCOLS, demo=True, programmes=["project-red"])
WORKED = {name: (stay, lines) for name, stay, lines in patients()}


def library_for(name: str) -> Library:
    """What applies anyway, and the optional protocol or the demonstration where the patient is theirs."""
    return Library([p for p in EVERY if p.name == name or not (p.demo or p.optional)])


@pytest.mark.parametrize("name", WORKED)
def test_every_line_of_the_worked_patient_holds(name: str) -> None:
    stay, lines = WORKED[name]
    assert lines, f"{name} has a patient without a line"
    told = Told.of(stay, Ward(library_for(name)))
    for when, words, then in lines:
        told.tell(when, words)
        for claim in then.split(";"):
            told.check(claim.strip())


def test_every_protocol_has_its_patient() -> None:
    assert set(WORKED) == {protocol.name for protocol in EVERY}


@pytest.mark.parametrize("utc", ["2026-03-11 04:59:59.999999+00:00"])
def test_the_contacts_end_in_utc(utc: str) -> None:
    assert due(DueRule(business_days=2), at("2026-03-06 15:00-06:00"), CHICAGO).at == at(utc)

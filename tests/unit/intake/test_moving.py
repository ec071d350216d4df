"""Which stays a move concerns: those that were the patient's when it was said."""

from uuid import UUID

import pytest

from services.intake.arrival import read_arrival
from services.intake.chart import Stay
from services.intake.describing import StayIdentity
from services.intake.feeds import Feeds
from services.intake.message import AdtMessage, StayFact
from services.intake.moving import concerns
from shared.events.people import Facility, Identifier
from tests.unit.intake.messages import adt, fact
from tests.unit.intake.statements import RECEIVED

IDENTITY = StayIdentity(
    UUID(int=1), Identifier(authority="G", type="VN", value="V"), "feed", Facility(code="G", time_zone="UTC")
)


def move(recorded: str) -> AdtMessage:
    raw = adt("A43", recorded=f"20260302{recorded.replace(':', '')}00", retired="MRN002")
    arrival = read_arrival(raw, Feeds(), "127.0.0.1", received=RECEIVED)
    assert arrival.adt
    return arrival.adt


def of(told: AdtMessage) -> StayFact:
    assert told.fact
    return told.fact


@pytest.mark.parametrize(
    ("facts", "at", "concerned"),
    [
        ([fact("A01", "09:00")], "10:00", True),
        ([fact("A01", "11:00")], "10:00", False),  # opened after the move
        ([fact("A01", "09:00"), fact("A03", "15:00")], "10:00", True),
        ([fact("A08", "12:00"), fact("A01", "09:00")], "10:00", True),
        ([fact("A01", "10:00")], "10:00", True),  # an opener stands before a change of the same moment
        ([fact("A03", "10:00")], "10:00", False),  # a closer behind it
        ([fact("A01", "09:00"), of(move("09:30"))], "10:00", True),  # the next one of a chain
        ([fact("A01", "09:00"), of(move("10:30"))], "10:00", False),  # it came to the patient only later
        ([fact("A01", "09:00"), of(move("10:00"))], "10:00", False),  # said once more
        ([], "10:00", True),
    ],
)
def test_a_move_concerns_what_was_there(facts: list[StayFact], at: str, *, concerned: bool) -> None:
    stay = Stay(IDENTITY, "patient", older=facts)
    assert concerns(move(at), stay) is concerned


def test_a_change_of_account_concerns_a_stay_wherever_it_was_moved_meanwhile() -> None:
    stay = Stay(IDENTITY, "patient", older=[fact("A01", "09:00"), of(move("11:00"))])
    raw = adt("A41", recorded="20260302100000", retired="MRN002").replace(b"^MR\r", b"^MR||ACC1\r")
    arrival = read_arrival(raw, Feeds(), "127.0.0.1", received=RECEIVED)
    assert arrival.adt
    assert concerns(arrival.adt, stay)

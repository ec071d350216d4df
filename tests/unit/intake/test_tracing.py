"""Whose a stay is, from what was said of it, of moves and of merges: by the order in which it was said."""

from dataclasses import replace
from itertools import permutations
from uuid import UUID, uuid5

import pytest

from services.intake.message import OrderKey, StayFact
from services.intake.tracing import Joined, Move, trace
from shared.events.people import Identifier
from tests.unit.intake.messages import fact

VISIT = Identifier(authority="G", type="VN", value="V")
OTHER = Identifier(authority="G", type="VN", value="W")


def key(at: str) -> OrderKey:
    return fact("A43", at).order


def said(trigger: str, at: str, record: str, account: str = "") -> StayFact:
    told = fact(trigger, at)
    more = {"account": {"authority": "G", "type": "AN", "value": account}} if account else {}
    return replace(told, record=record, said={**told.said, **more})


def moved(
    source: str, target: str, at: str, *, account: str = "", visit: Identifier | None = None, gives: str = ""
) -> Move:
    return Move(
        uuid5(UUID(int=0), source + target + at), source, target, key(at),
        account=("G", account) if account else None, visit=visit, fact=said("A43", at, "", gives),
    )  # fmt: skip


def facts(*told: StayFact) -> dict[UUID, StayFact]:
    return {uuid5(UUID(int=1), str(n)): one for n, one in enumerate(told)}


@pytest.mark.parametrize(
    ("opened", "moves", "joins", "whose"),
    [
        ("09:00", [moved("S", "T", "10:00")], [], "T"),
        ("11:00", [moved("S", "T", "10:00")], [], "S"),  # opened after the move
        ("09:00", [moved("S", "T", "10:00"), moved("T", "U", "11:00")], [], "U"),
        ("09:00", [moved("T", "U", "10:00"), moved("S", "T", "11:00")], [], "T"),  # T had nothing yet
        ("09:00", [moved("S", "T", "10:00"), moved("S", "U", "11:00")], [], "T"),  # the first of two counts
        ("09:00", [moved("S", "T", "10:00"), moved("T", "S", "11:00")], [], "S"),
        ("09:00", [moved("X", "T", "10:00")], [], "S"),
        ("09:00", [moved("X", "T", "11:00")], [Joined("S", "X", key("10:00"))], "T"),  # X's by the merge
        ("09:00", [moved("X", "T", "10:00")], [Joined("S", "X", key("11:00"))], "S"),  # not yet
        ("09:00", [moved("S", "T", "10:00", visit=VISIT)], [], "T"),
        ("09:00", [moved("S", "T", "10:00", visit=OTHER)], [], "S"),
        ("09:00", [moved("S", "T", "10:00", account="A1")], [], "T"),
        ("09:00", [moved("S", "T", "10:00", account="A2")], [], "S"),
        (
            "09:00",
            [moved("S", "S", "10:00", account="A1", gives="A2"), moved("S", "T", "11:00", account="A2")],
            [],
            "T",
        ),
        (
            "09:00",
            [moved("S", "S", "10:00", account="A1", gives="A2"), moved("S", "T", "11:00", account="A1")],
            [],
            "S",
        ),
    ],
)
def test_a_stay_follows_the_moves_that_concern_it(
    opened: str, moves: list[Move], joins: list[Joined], whose: str
) -> None:
    told = facts(said("A01", opened, "S", "A1"), said("A08", "12:00", "S"))
    found = {trace(told, VISIT, "S", order, joins).record for order in permutations(moves)}
    assert found == {whose}


def test_what_moves_said_is_found_again_among_the_facts() -> None:
    one, two = moved("S", "T", "10:00"), moved("S", "U", "11:00")
    told = facts(said("A01", "09:00", "S")) | {two.message_id: two.fact or said("A43", "11:00", "")}
    assert trace(told, VISIT, "U", [one, two], []) == ("T", (one,))


def test_facts_of_an_earlier_version_name_nobody() -> None:
    taken = moved("S", "T", "10:00")
    plain = facts(fact("A01", "09:00"))
    assert trace(plain, VISIT, "S", [taken], []).record == "T"
    assert trace(plain, VISIT, "T", [taken], []).record == "T"
    assert trace({**plain, taken.message_id: fact("A43", "10:00")}, VISIT, "T", [taken], []) == ("T", (taken,))
    assert trace({}, VISIT, "T", [taken], []) == ("T", ())

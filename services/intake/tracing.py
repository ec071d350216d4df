"""Whose a stay is: told from all that was said of it, of moves and of merges, in the order in which it was said. Pure.

The order of arrival makes no difference. A move takes along what was the source's when it was said: a stay that the
source came to have by a later merge is none of its business.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from services.intake.message import OrderKey, StayFact
from shared.events.people import Identifier

Account = tuple[str, str]
"""Authority and number."""


@dataclass(frozen=True, slots=True)
class Move:
    """What a move (A43, A44, A45) or a change of account (A41, A49: source and target are one) says. `account` and
    `visit` narrow it; `fact` is what it says of the stays that follow it, None where that was not kept.
    """

    message_id: UUID
    source: str
    target: str
    said: OrderKey
    account: Account | None = None
    visit: Identifier | None = None
    fact: StayFact | None = None


class Joined(NamedTuple):
    """Two records were said to be one patient."""

    one: str
    other: str
    said: OrderKey


class Trace(NamedTuple):
    """The record whose the stay is in the end, and the moves that took it there."""

    record: str
    followed: tuple[Move, ...]


@dataclass(slots=True)
class _Patients:
    """Which records are one patient's, as far as it has been said."""

    _leads_to: dict[str, str] = field(default_factory=dict)

    def of(self, record: str) -> str:
        while record in self._leads_to:
            record = self._leads_to[record]
        return record

    def join(self, joined: Joined) -> None:
        one, other = self.of(joined.one), self.of(joined.other)
        if one != other:
            self._leads_to[one] = other


def trace(
    facts: Mapping[UUID, StayFact], visit: Identifier, owner: str, moves: Sequence[Move], joins: Iterable[Joined]
) -> Trace:
    """`facts` are all of the stay's, by message; `owner` is whose it was held to be so far: where the first fact does
    not say whom it named (facts of earlier versions), it was theirs but for the moves that it followed.
    """
    known = {move.message_id for move in moves}
    plain = sorted((fact for one, fact in facts.items() if one not in known), key=lambda fact: fact.order)
    at: str | None = None
    account: Account | None = None
    patients = _Patients()
    followed: list[Move] = []
    for one in _in_order(plain, moves, joins):
        if isinstance(one, Joined):
            patients.join(one)
        elif isinstance(one, StayFact):
            at = at or one.record or _start(facts, moves, owner)
            account = _account(one, account)
        elif at and patients.of(at) == patients.of(one.source) and _is_meant(one, visit, account):
            followed.append(one)
            at = one.target if one.source != one.target else at
            account = _account(one.fact, account) if one.fact else account
    return Trace(at or owner, tuple(followed))


def _in_order(
    facts: Sequence[StayFact], moves: Sequence[Move], joins: Iterable[Joined]
) -> Iterator[StayFact | Move | Joined]:
    told: list[tuple[OrderKey, int, int, Any]] = [(one.said, 0, n, one) for n, one in enumerate(joins)]
    told += [(fact.order, 1, n, fact) for n, fact in enumerate(facts)]
    told += [(move.said, 2, n, move) for n, move in enumerate(moves)]
    return (one for *_, one in sorted(told, key=lambda each: each[:3]))


def _start(facts: Mapping[UUID, StayFact], moves: Sequence[Move], owner: str) -> str:
    took = [move for move in moves if move.message_id in facts and move.source != move.target]
    return min(took, key=lambda move: move.said).source if took else owner


def _is_meant(move: Move, visit: Identifier, account: Account | None) -> bool:
    return move.account in {None, account} and move.visit in {None, visit}


def _account(fact: StayFact, known: Account | None) -> Account | None:
    if "account" not in fact.said:
        return known
    said = fact.said["account"]
    return (said["authority"], said["value"]) if said else None

"""One referral's loop as somebody stands before it: which steps are theirs to take, which levels were and will be told.
Pure.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.transitions.referrals.clocks import EXPIRY, waiting
from services.transitions.referrals.referral import Referral
from services.transitions.referrals.rules import LoopRules
from services.transitions.referrals.states import WHO, Kind, Side

DUPLICATE = "duplicate"
"""The decision on a suspected duplicate: link, cancel or repeat."""


@dataclass(frozen=True, slots=True)
class Level:
    """Who is told what is late, and when (UTC); `told_at` is None for what is still to come."""

    level: int
    role: str | None
    due_at: datetime
    told_at: datetime | None


def steps_of(referral: Referral, sides: Collection[Side]) -> list[str]:
    """What these sides may do now, as the API calls it. A suspected duplicate waits for its requester's decision."""
    steps: list[str] = [kind.value for kind, side in WHO.items() if _may(referral, kind, side, sides)]
    return [DUPLICATE, *steps] if referral.is_held and Side.REQUESTER in sides else steps


def _may(referral: Referral, kind: Kind, side: Side, sides: Collection[Side]) -> bool:
    is_theirs = side in sides or (side is Side.EITHER and bool(sides))
    waits = referral.is_held and side is Side.PERFORMER
    return is_theirs and not waits and referral.allows(kind)


def levels_of(
    referral: Referral, rules: LoopRules, kept: Iterable[tuple[UUID, int, datetime, datetime | None]]
) -> list[Level]:
    """The levels of the step that the referral stands at, of `kept` timers (step, level, due, told), by time."""
    ladder = rules.ladders[rules.priority_of(referral.terms.priority)]
    awaited = waiting(referral, rules)
    roles = {0: awaited.role if awaited else None} | {n: rung.role for n, rung in enumerate(ladder, 1)}
    own = [(level, due, told) for step, level, due, told in kept if step == referral.step]
    return [Level(level, roles.get(level), due, told) for level, due, told in sorted(own, key=_by_time)]


def _by_time(timer: tuple[int, datetime, datetime | None]) -> tuple[bool, datetime, int]:
    level, due, _ = timer
    return level == EXPIRY, due, level

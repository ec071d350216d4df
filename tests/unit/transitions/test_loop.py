"""A referral's loop as each side stands before it: which steps are theirs, which levels were told."""

from dataclasses import replace
from uuid import UUID

import pytest

from services.transitions.referrals.clocks import EXPIRY, timers
from services.transitions.referrals.loop import Level, levels_of, steps_of
from services.transitions.referrals.states import Kind, Side
from tests.unit.transitions.referrals_told import RULES, act, later, requested

BOTH = frozenset(Side)
PERFORMER = frozenset({Side.PERFORMER})
REQUESTER = frozenset({Side.REQUESTER})


@pytest.mark.parametrize(
    ("sides", "may"),
    [
        (PERFORMER, ["accept", "cancel", "receive", "reject"]),
        (REQUESTER, ["cancel", "error", "request-cancel"]),
        (BOTH, ["accept", "cancel", "error", "receive", "reject", "request-cancel"]),
        (frozenset[Side](), []),
    ],
)
def test_each_side_has_its_own_steps(sides: frozenset[Side], may: list[str]) -> None:
    assert sorted(steps_of(requested(), sides)) == may


def test_a_suspected_duplicate_waits_for_its_requester() -> None:
    held = replace(requested(), is_held=True)
    assert steps_of(held, BOTH)[0] == "duplicate"
    assert "accept" not in steps_of(held, BOTH)
    assert "duplicate" not in steps_of(held, PERFORMER)


def test_what_was_rejected_is_routed_anew_and_what_rests_goes_on() -> None:
    rejected = requested().with_deeds([act(Kind.REJECT, later(10), reason="full")])
    assert sorted(steps_of(rejected, BOTH)) == ["close-unmet", "error", "reroute"]
    resting = requested().with_deeds([act(Kind.ACCEPT, later(10)), act(Kind.HOLD, later(20), reason="travels")])
    assert "resume" in steps_of(resting, PERFORMER)
    assert "resume" not in steps_of(requested(), PERFORMER)


def test_levels_say_who_is_told_when_and_the_expiry_comes_last() -> None:
    ends = later(60 * 24 * 90)
    referral = requested(expires_at=ends)
    clock = timers(referral, RULES)
    assert clock[-1].level == EXPIRY
    told = {0: clock[0].due_at}
    kept = [(t.step, t.level, t.due_at, told.get(t.level)) for t in clock]
    other_step = (UUID(int=1), 0, clock[0].due_at, clock[0].due_at)
    levels = levels_of(referral, RULES, [other_step, *reversed(kept)])
    ladder = RULES.ladders[RULES.priority_of("routine")]
    assert [level.role for level in levels] == [levels[0].role, *(rung.role for rung in ladder), None]
    assert levels[0] == Level(0, levels[0].role, clock[0].due_at, clock[0].due_at)
    assert levels[0].role
    assert [level.told_at for level in levels[1:]] == [None] * (len(levels) - 1)
    assert levels[-1].level == EXPIRY

"""Until when somebody must do what the referral waits for, and who is told when nobody does. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.transitions.referrals.referral import Referral
from services.transitions.referrals.rules import Clock, LoopRules, Wait
from services.transitions.referrals.states import State
from shared.calendar import add_business_days, end_of_day, local_date

EXPIRY = 99
"""The level that is no level: the referral's own expiry (RF1-8)."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is waited for, since when, until when (UTC), and whose turn it is."""

    code: str
    role: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class LoopTimer:
    referral_id: UUID
    step: UUID
    level: int
    due_at: datetime


def waiting(referral: Referral, rules: LoopRules) -> Waiting | None:
    """None where nothing is waited for: drafts, what is over, old news, an appointment without a time."""
    clock = _clock(referral, rules)
    if clock is None or referral.is_historical:
        return None
    anchored_at = _anchor(referral, clock)
    if anchored_at is None:
        return None
    wait = clock.due[rules.priority_of(referral.terms.priority)]
    return Waiting(clock.code, clock.role, _due(wait, anchored_at, referral))


def timers(referral: Referral, rules: LoopRules) -> tuple[LoopTimer, ...]:
    """Every level that is still to be told if nobody acts, and the expiry."""
    return (*_levels(referral, rules), *_expiry(referral))


def _levels(referral: Referral, rules: LoopRules) -> tuple[LoopTimer, ...]:
    awaited = waiting(referral, rules)
    if awaited is None:
        return ()
    ladder = rules.ladders[rules.priority_of(referral.terms.priority)]
    times = (awaited.due_at, *(awaited.due_at + rung.after for rung in ladder))
    return tuple(
        LoopTimer(referral.id, referral.step, level, at) for level, at in enumerate(times) if level >= referral.fired
    )


def _expiry(referral: Referral) -> tuple[LoopTimer, ...]:
    ends = referral.terms.expires_at
    if ends is None or not referral.allows_expiry or referral.is_historical:
        return ()
    return (LoopTimer(referral.id, referral.step, EXPIRY, ends),)


def _clock(referral: Referral, rules: LoopRules) -> Clock | None:
    if referral.is_held:
        return rules.duplicate_decision
    if referral.state is State.NO_SHOW and referral.strikes >= rules.strike_review.strikes:
        return rules.strike_review
    return rules.clock_in(referral.state)


def _anchor(referral: Referral, clock: Clock) -> datetime | None:
    match clock.anchor:
        case "requested":
            return max(referral.requested_at, referral.since)
        case "appointment":
            return referral.terms.scheduled_at
        case "entered":
            return referral.since


def _due(wait: Wait, anchored_at: datetime, referral: Referral) -> datetime:
    if wait.hours is not None:
        return anchored_at + timedelta(hours=wait.hours)
    zone = referral.terms.facility.time_zone if referral.terms.facility else "UTC"
    start = local_date(anchored_at, zone)
    if wait.business_days is not None:
        return end_of_day(add_business_days(start, wait.business_days).day, zone)
    return end_of_day(start + timedelta(days=wait.calendar_days or 0), zone)

"""When a task is due, and how that was counted: in words, and day by day. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.transitions.task_rule import Anchor, DueRule
from shared.calendar import add_business_days, end_of_day, local_date
from shared.events.people import Facility

WORDS = {Anchor.EXPECTED_DISCHARGE: "expected discharge"}
Closed = Mapping[date, str]
"""Days on which a facility's calendar is closed, each with the reason."""


@dataclass(frozen=True, slots=True)
class Due:
    """`at` is the last instant in time (UTC); `explained` says how it was counted, for people. `tell_from`: nobody is
    told that it is overdue before that. `owed_until`: the last instant at which a deed still counts.
    """

    at: datetime
    explained: str
    tell_from: datetime | None = None
    owed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DayCounted:
    """One local day on the way to a due date: the number it got, or None and why it was left out."""

    day: date
    number: int | None
    why: str | None = None


def due(
    rule: DueRule, anchored_at: datetime, facility: Facility, *, closed: Closed | None = None, announced: bool = True
) -> Due:
    """The due time counted from `anchored_at` on the facility's own dates.

    `announced` is False where an expected discharge was never said, so that the discharge itself stands for it: what
    was to be done before is then due on that day.
    """
    if rule.minutes is not None:
        return Due(anchored_at + timedelta(minutes=rule.minutes), f"{rule.minutes} minutes after the {_anchor(rule)}")
    start = local_date(anchored_at, facility.time_zone)
    if rule.business_days is not None:
        return _in_business_days(rule, rule.business_days, start, facility, closed)
    days = rule.calendar_days or 0
    return _in_calendar_days(rule, days if announced else max(0, days), start, facility)


def days_counted(
    rule: DueRule, anchored_at: datetime, facility: Facility, *, closed: Closed | None = None
) -> tuple[DayCounted, ...]:
    """Every day from the anchor's to the due date, as it was counted; empty for a rule in minutes."""
    if rule.minutes is not None:
        return ()
    start = local_date(anchored_at, facility.time_zone)
    if rule.business_days is not None:
        return tuple(_business(rule, rule.business_days, start, facility, closed))
    days = rule.calendar_days or 0
    if days < 0:
        return (DayCounted(start + timedelta(days=days), days),)
    first = 1 if rule.inclusive else 0
    last = days + 1 if not rule.inclusive else days
    return tuple(DayCounted(start + timedelta(days=n), n + first) for n in range(last))


def _business(rule: DueRule, days: int, start: date, facility: Facility, closed: Closed | None) -> Iterator[DayCounted]:
    counted = add_business_days(start, days, _state(rule, facility), closed if rule.facility_calendar else None)
    skipped = {left.day: left.why for left in counted.skipped}
    yield DayCounted(start, 0, f"day of the {_anchor(rule)}")
    number = 0
    for n in range(1, (counted.day - start).days + 1):
        day = start + timedelta(days=n)
        why = skipped.get(day)
        number += why is None
        yield DayCounted(day, None if why else number, why)


def end_of_visit_day(rule_due: Due, visit: datetime, facility: Facility, visit_title: str) -> Due:
    """The earlier of the rule's due time and the end of the local day of the visit."""
    day = local_date(visit, facility.time_zone)
    at = end_of_day(day, facility.time_zone)
    if at >= rule_due.at:
        return rule_due
    explained = f"On or before the day of “{visit_title}”, {_shown(day)}: due by the end of that day."
    return Due(at, explained, rule_due.tell_from, rule_due.owed_until)


def _in_business_days(rule: DueRule, days: int, start: date, facility: Facility, closed: Closed | None) -> Due:
    counted = add_business_days(start, days, _state(rule, facility), closed if rule.facility_calendar else None)
    left_out = ", ".join(f"{_shown(skipped.day)} ({skipped.why})" for skipped in counted.skipped)
    return Due(
        end_of_day(counted.day, facility.time_zone),
        f"{_many(days, 'business day')} after the {_anchor(rule)} on {_shown(start)} ({facility.time_zone}); "
        f"not counted: {left_out or 'none'}. Due by the end of {_shown(counted.day)}.",
    )


def _in_calendar_days(rule: DueRule, days: int, start: date, facility: Facility) -> Due:
    last = start + timedelta(days=days - 1 if rule.inclusive else days)
    before_or_after = "before" if days < 0 else "after"
    counted = (
        f"The day of the {_anchor(rule)}"
        if days == 0
        else f"{_many(abs(days), 'calendar day')} {before_or_after} the {_anchor(rule)}"
    )
    including = ", that day counted as the first" if rule.inclusive else ""
    return Due(
        end_of_day(last, facility.time_zone),
        f"{counted}, {_shown(start)} ({facility.time_zone}){including}. Due by the end of {_shown(last)}.",
    )


def _state(rule: DueRule, facility: Facility) -> str | None:
    return facility.state if rule.state_holidays else None


def _anchor(rule: DueRule) -> str:
    return WORDS.get(rule.anchor, rule.anchor.value)


def _many(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _shown(day: date) -> str:
    return f"{day:%a %Y-%m-%d}"

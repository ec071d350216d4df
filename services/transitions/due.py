"""When a task is due, and in words how that was counted. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.transitions.protocols import Anchor, DueRule
from shared.calendar import add_business_days, end_of_day, local_date
from shared.events.people import Facility


@dataclass(frozen=True, slots=True)
class Due:
    """`at` is the last instant in time (UTC); `explained` says how it was counted, for people."""

    at: datetime
    explained: str


def due(rule: DueRule, anchored_at: datetime, facility: Facility) -> Due:
    """The due time counted from `anchored_at` on the facility's own dates."""
    if rule.minutes is not None:
        return Due(
            anchored_at + timedelta(minutes=rule.minutes), f"{rule.minutes} minutes after the {rule.anchor.value}"
        )
    start = local_date(anchored_at, facility.time_zone)
    if rule.business_days is not None:
        return _in_business_days(rule, rule.business_days, start, facility)
    return _in_calendar_days(rule, rule.calendar_days or 0, start, facility)


def end_of_visit_day(rule_due: Due, visit: datetime, facility: Facility, visit_title: str) -> Due:
    """The earlier of the rule's due time and the end of the local day of the visit."""
    day = local_date(visit, facility.time_zone)
    at = end_of_day(day, facility.time_zone)
    if at >= rule_due.at:
        return rule_due
    return Due(at, f"On or before the day of “{visit_title}”, {_shown(day)}: due by the end of that day.")


def _in_business_days(rule: DueRule, days: int, start: date, facility: Facility) -> Due:
    counted = add_business_days(start, days, facility.state if rule.state_holidays else None)
    left_out = ", ".join(f"{_shown(skipped.day)} ({skipped.why})" for skipped in counted.skipped)
    return Due(
        end_of_day(counted.day, facility.time_zone),
        f"{_many(days, 'business day')} after the {rule.anchor.value} on {_shown(start)} ({facility.time_zone}); "
        f"not counted: {left_out or 'none'}. Due by the end of {_shown(counted.day)}.",
    )


def _in_calendar_days(rule: DueRule, days: int, start: date, facility: Facility) -> Due:
    last = start + timedelta(days=days - 1 if rule.inclusive else days)
    counted = (
        f"The day of the {rule.anchor.value}" if days == 0 else f"{_many(days, 'calendar day')} {_from(rule.anchor)}"
    )
    including = ", that day counted as the first" if rule.inclusive else ""
    return Due(
        end_of_day(last, facility.time_zone),
        f"{counted}, {_shown(start)} ({facility.time_zone}){including}. Due by the end of {_shown(last)}.",
    )


def _from(anchor: Anchor) -> str:
    return f"after the {anchor.value}"


def _many(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"


def _shown(day: date) -> str:
    return f"{day:%a %Y-%m-%d}"

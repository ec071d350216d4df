"""A form whose act was refused: what was typed in it, to be sent again, and what changed since it was opened. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.dashboard.clocks import local
from services.dashboard.readings import OWN, own_values
from services.dashboard.worklines import instant

OURS = frozenset({"csrf", "once", "version", "shown"})
"""Of every form; what is sent again gets these anew, but for the key that makes it happen once."""
TYPED: Mapping[str, str] = {
    "words": "What you wrote",
    "owner": "Person",
    "performer": "To whom",
    "service": "Service",
    "service_code": "Its code",
    "requester": "On behalf of",
    "reason": "Why",
    "repeat_reason": "Why again",
    "scheduled": "Appointment",
    "topic": "What was taught",
    "received_by": "Received by",
    "organisation": "Of",
    "synthesis": "What the receiver said back",
    "haemoglobin": "Haemoglobin, g/dL",
    "sodium": "Sodium, mmol/L",
}
"""Fields that people type into, with the words of their labels."""
LONGEST: Mapping[str, int] = {"words": 500, "reason": 500, "repeat_reason": 500, "synthesis": 2000}
SHOWN: Mapping[str, str] = {
    "status": "Status",
    "owner": "Owner",
    "owner_role": "Role",
    "due_at": "Due",
    "escalation_level": "Escalation level",
    "rests_until": "Rests until",
    "acknowledged_by": "Acknowledged by",
    "outcome": "Outcome",
    "closure": "Ended as",
}
"""What of a task is compared, in the order of a page."""
INSTANTS = frozenset({"due_at", "rests_until"})


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    value: str
    label: str
    longest: int
    kind: str
    """Of the input: `text`, or `datetime-local` for a time on the facility's wall."""


@dataclass(frozen=True, slots=True)
class Change:
    """`before` is empty where only what came is known."""

    what: str
    before: str
    now: str


def typed_in(form: Iterable[tuple[str, str]]) -> list[Field]:
    """What people typed, and only that which is not empty."""
    return [_field(name, value) for name, value in form if _is_typed(name) and value.strip()]


def _field(name: str, value: str) -> Field:
    label = TYPED.get(name, name.replace(":", ": ").replace("-", " "))
    return Field(name, value, label, LONGEST.get(name, 100), "datetime-local" if name == "scheduled" else "text")


def _is_typed(name: str) -> bool:
    """Limits of a patient's own are named `signal:limit`."""
    return name in TYPED or ":" in name


def carried_along(form: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What else the form said: choices, and fields left empty."""
    return [(name, value) for name, value in form if name not in OURS and not (_is_typed(name) and value.strip())]


def task_changes(before: Mapping[str, Any] | None, now: Mapping[str, Any], time_zone: str) -> list[Change]:
    """Field by field; nothing where it is not known how it stood before."""
    if before is None:
        return []
    said = [(name, _words(name, before.get(name), time_zone), _words(name, now.get(name), time_zone)) for name in SHOWN]
    return [Change(SHOWN[name], then, after) for name, then, after in said if then != after]


def _words(name: str, value: Any, time_zone: str) -> str:
    if name in INSTANTS:
        return local(instant(value), time_zone) or "not set"
    return "not set" if value is None else str(value)


def limit_changes(signals: Mapping[str, Mapping[str, Any]], given: Mapping[str, str]) -> list[Change]:
    """Limits of a patient that now stand otherwise than the form was filled in."""
    return [change for name, signal in signals.items() for change in _own_changes(name, signal, given)]


def _own_changes(name: str, signal: Mapping[str, Any], given: Mapping[str, str]) -> Iterable[Change]:
    now = own_values(signal)
    for field, *_ in OWN:
        wrote = given.get(f"{name}:{field}", "")
        if wrote != now.get(field, ""):
            what = f"{signal['title']}, {field.replace('-', ' ')}"
            yield Change(what, f"you wrote {wrote or 'nothing'}", now.get(field, "usual"))


def deed_changes(deeds: Sequence[Mapping[str, Any]], since: datetime, time_zone: str) -> list[Change]:
    """What was done to a referral or heard of it since then, the first one first."""
    later = [deed for deed in deeds if (instant(deed["recorded"]) or since) > since]
    return [Change(str(deed["kind"]).replace("-", " "), "", _deed_words(deed, time_zone)) for deed in later]


def _deed_words(deed: Mapping[str, Any], time_zone: str) -> str:
    by = f"by {deed['actor'] or deed['source']}, {local(instant(deed['at']), time_zone)}"
    return f"{by}: {deed['reason']}" if deed.get("reason") else by


def opened_at(text: str) -> datetime | None:
    """When the form's page was made; None where it does not say so."""
    try:
        at = instant(text)
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None

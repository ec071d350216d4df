"""People in a message: PID as demographics, XCN as practitioners, CX as identifiers."""

from datetime import UTC
from functools import lru_cache
from typing import Any

from services.intake.codes import IDENTITY_PREFERENCE, NO_IDENTITY
from services.intake.er7 import Segment, Separators
from services.intake.feeds import Feed
from services.intake.times import Precision, read_moment
from shared.events.people import Identifier

LEGAL = "L"
IDENTIFIERS = "identifiers of "
_DATE_PARTS = {Precision.YEAR: 4, Precision.MONTH: 7}


def identifiers(segment: Segment, number: int, feed: Feed) -> tuple[Identifier, ...]:
    """A CX field's identifiers, the one that stands for the record first."""
    found: list[Identifier] = []
    for repetition in segment.repetitions(number):
        value = segment.piece(repetition, 1)
        if value and value.strip():
            authority = feed.authority(segment.piece(repetition, 4), segment.piece(repetition, 4, 2))
            kind = segment.piece(repetition, 5) or "MR"
            found.append(Identifier(authority=authority, type=kind.upper(), value=value.strip()))
    return tuple(sorted(dict.fromkeys(found), key=_preference))


def assigned(found: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
    """Those of them by which a patient may be recognised."""
    return tuple(identifier for identifier in found if identifier.type not in NO_IDENTITY)


def _preference(identifier: Identifier) -> int:
    if identifier.type in NO_IDENTITY:
        return len(IDENTITY_PREFERENCE) + 1
    if identifier.type in IDENTITY_PREFERENCE:
        return IDENTITY_PREFERENCE.index(identifier.type)
    return len(IDENTITY_PREFERENCE)


def demographics(pid: Segment, feed: Feed, found: tuple[Identifier, ...]) -> dict[str, Any]:
    """PID as fields of PatientSummary: missing is no change, None deletes."""
    said: dict[str, Any] = {}
    for identifier in found:
        # A snapshot per authority: what one facility says does not delete another's identifiers.
        said.setdefault(f"{IDENTIFIERS}{identifier.authority}", []).append([identifier.type, identifier.value])
    _put(said, "name", pid, 5, _name(pid))
    _put(said, "birth_date", pid, 7, _birth_date(pid.text(7)))
    _put(said, "sex", pid, 8, pid.text(8))
    _put(said, "address", pid, 11, _address(pid))
    _put(said, "language", pid, 15, pid.text(15))
    phones = [phone for number in (13, 14) for phone in _phones(pid, number)]
    _put(said, "phones", pid, 13, phones or None)
    died = pid.text(29)
    moment = read_moment(died, feed.zone) if died else None
    _put(said, "deceased_at", pid, 29, moment.at.isoformat() if moment else None)
    flag = (pid.text(30) or "").upper()
    if flag in {"Y", "N"} or moment:
        said["deceased"] = flag != "N"
    return said


def _put(said: dict[str, Any], name: str, segment: Segment, number: int, value: Any) -> None:
    if value is not None or segment.is_null(number):
        said[name] = value


def _name(pid: Segment) -> dict[str, str] | None:
    names = pid.repetitions(5)
    if not names:
        return None
    chosen = next((n for n in names if pid.piece(n, 7) == LEGAL), names[0])
    parts = {"family": 1, "given": 2, "middle": 3, "suffix": 4}
    name = {part: text for part, number in parts.items() if (text := pid.piece(chosen, number))}
    return name or None


def _birth_date(text: str | None) -> str | None:
    """With the precision of the source: `1948`, `1948-02`, `1948-02-14`; a time of day is left out."""
    if not text:
        return None
    # Only the digits of the date: its zone must not move a birthday.
    digits = text.strip()[:8]
    shown = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}".rstrip("-")
    moment = read_moment(digits, UTC)
    return shown[: _DATE_PARTS.get(moment.precision, 10)] if moment else None


def _address(pid: Segment) -> str | None:
    repetitions = pid.repetitions(11)
    if not repetitions:
        return None
    parts = [pid.piece(repetitions[0], number) for number in (1, 2, 3, 4, 5, 6)]
    return ", ".join(part for part in parts if part) or None


def _phones(pid: Segment, number: int) -> list[str]:
    found = []
    for repetition in pid.repetitions(number):
        whole = pid.piece(repetition, 12) or pid.piece(repetition, 1)
        parts = [pid.piece(repetition, component) for component in (5, 6, 7)]
        phone = whole or "-".join(part for part in parts if part)
        if phone:
            found.append(phone)
    return found


@lru_cache(maxsize=4096)
def practitioner(raw: str, separators: Separators) -> dict[str, Any] | None:
    """One XCN as the fields of Practitioner; None when it names nobody. The NPI only where the message says so."""
    segment = Segment([], separators)
    number, authority = segment.piece(raw, 1), segment.piece(raw, 9)
    parts = {"family": 2, "given": 3, "middle": 4, "suffix": 5}
    name = {part: text for part, position in parts.items() if (text := segment.piece(raw, position))}
    if not number and not name:
        return None
    if number and "NPI" in {authority, segment.piece(raw, 13)}:
        return {"npi": number, "name": name}
    return {"local_id": number, "authority": authority, "name": name}


def practitioners(segment: Segment, number: int) -> list[dict[str, Any]] | None:
    found = [practitioner(raw, segment.separators) for raw in segment.repetitions(number)]
    return [one for one in found if one] or None

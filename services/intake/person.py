"""People in a message: PID as demographics, XCN as practitioners, CX as identifiers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from services.intake.codes import IDENTITY_PREFERENCE, NO_IDENTITY
from services.intake.er7 import NULL, Composite, Segment, Separators
from services.intake.feeds import Feed
from services.intake.identity.ssn import last_four
from services.intake.remembering import remembered
from services.intake.times import Precision, read_moment
from shared.events.people import Identifier

LEGAL = "L"
IDENTIFIERS = "identifiers of "
SSN4 = "ssn4"
"""A field of the record that no event tells."""
_DATE_PARTS = {Precision.YEAR: 4, Precision.MONTH: 7}


class Person(NamedTuple):
    """PID: its identifiers, and its fields as those of PatientSummary (missing is no change, None deletes)."""

    identifiers: tuple[Identifier, ...]
    demographics: Mapping[str, Any]
    account: Identifier | None
    is_account_null: bool


@remembered(4096)
def read_person(line: str, separators: Separators, feed: Feed) -> Person:
    """One PID segment. Most messages of a stay repeat it unchanged, so the last ones are kept."""
    pid = Segment(line.split(separators.field), separators)
    # Up to 2.3.1 senders may leave PID-3 out and say the number in PID-2 or PID-4.
    found = identifiers(pid, 3, feed)
    for number in (2, 4):
        if not assigned(found):
            found = (*identifiers(pid, number, feed), *found)
    return Person(found, demographics(pid, feed, found), identifier(pid, 18, "AN", feed), pid.is_null(18))


def identifier(segment: Segment, number: int, kind: str, feed: Feed) -> Identifier | None:
    """One identifier of a kind that the field says: a visit number, an account."""
    one = segment.value(number)
    value = (one[1] or "").strip()
    if not value:
        return None
    return Identifier(authority=feed.authority(one[4], one.second(4)), type=kind, value=value)


@remembered(4096)
def read_primary_care(line: str, separators: Separators) -> Mapping[str, Any]:
    """PD1: the primary care practitioner and their organisation, as values that a stay may say."""
    pd1 = Segment(line.split(separators.field), separators)
    said: dict[str, Any] = {}
    pcp = practitioners(pd1, 4)
    put(said, "pcp", pd1, 4, pcp[0] if pcp else None)
    put(said, "pcp_organisation", pd1, 3, pd1.text(3))
    return said


def identifiers(segment: Segment, number: int, feed: Feed) -> tuple[Identifier, ...]:
    """A CX field's identifiers, the one that stands for the record first."""
    found: list[Identifier] = []
    for one in segment.repetitions(number):
        value = (one[1] or "").strip()
        if value:
            authority = feed.authority(one[4], one.second(4))
            found.append(Identifier(authority=authority, type=(one[5] or "MR").upper(), value=value))
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
    said: dict[str, Any] = {}
    for identifier in found:
        # A snapshot per authority: what one facility says does not delete another's identifiers.
        said.setdefault(f"{IDENTIFIERS}{identifier.authority}", []).append([identifier.type, identifier.value])
    put(said, "name", pid, 5, _name(pid))
    put(said, "birth_date", pid, 7, _birth_date(pid.text(7)))
    put(said, "sex", pid, 8, pid.text(8))
    put(said, "address", pid, 11, _address(pid))
    put(said, "language", pid, 15, pid.text(15))
    # The last four digits tell people apart; the whole number stays in the sealed message.
    put(said, SSN4, pid, 19, last_four(pid.text(19) or "") or None)
    phones = [phone for number in (13, 14) for phone in _phones(pid, number)]
    put(said, "phones", pid, 13, phones or None)
    died = pid.text(29)
    moment = read_moment(died, feed.zone) if died else None
    put(said, "deceased_at", pid, 29, moment.iso if moment else None)
    flag = (pid.text(30) or "").upper()
    if flag in {"Y", "N"} or moment:
        said["deceased"] = flag != "N"
    return said


def without_death_ahead(said: Mapping[str, Any], latest: datetime, *, is_said_dead: bool) -> Mapping[str, Any]:
    """The same, where it tells of a death later than that: a typing error, by which nobody is taken for dead.

    `is_said_dead`: that the patient died is said beside the time, and stands.
    """
    died = said.get("deceased_at")
    if died is None or datetime.fromisoformat(died) <= latest:
        return said
    left_out = {"deceased_at"} if is_said_dead else {"deceased_at", "deceased"}
    return {name: value for name, value in said.items() if name not in left_out}


def put(said: dict[str, Any], name: str, segment: Segment, number: int, value: Any) -> None:
    """Says a value; nothing where the field is empty, None where the sender deletes it."""
    if value is not None or segment.is_null(number):
        said[name] = value


def _name(pid: Segment) -> dict[str, str] | None:
    names = pid.repetitions(5)
    if not names:
        return None
    chosen = names[0] if len(names) == 1 else next((name for name in names if name[7] == LEGAL), names[0])
    return _named(chosen, 1) or None


def _named(name: Composite, first: int) -> dict[str, str]:
    parts = enumerate(("family", "given", "middle", "suffix"), first)
    return {part: text for number, part in parts if (text := name[number])}


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
    parts = [repetitions[0][number] for number in (1, 2, 3, 4, 5, 6)]
    return ", ".join(part for part in parts if part) or None


def _phones(pid: Segment, number: int) -> list[str]:
    found = []
    for one in pid.repetitions(number):
        phone = one[12] or one[1] or "-".join(part for part in (one[5], one[6], one[7]) if part)
        if phone:
            found.append(phone)
    return found


@remembered(4096)
def practitioner(raw: str, separators: Separators) -> dict[str, Any] | None:
    """One XCN as the fields of Practitioner; None when it names nobody. The NPI only where the message says so."""
    one = Segment([], separators).composite(raw)
    number, authority, name = one[1], one[9], _named(one, 2)
    if not number and not name:
        return None
    if number and "NPI" in {authority, one[13]}:
        return {"npi": number, "name": name}
    return {"local_id": number, "authority": authority, "name": name}


def practitioners(segment: Segment, number: int) -> list[dict[str, Any]] | None:
    raw = segment.raw(number)
    if not raw or raw == NULL:
        return None
    found = [practitioner(one, segment.separators) for one in raw.split(segment.separators.repetition)]
    return [one for one in found if one] or None


def shown(segment: Segment, number: int, *, first: int = 2) -> str | None:
    """The name of somebody in a field (XCN, or XPN with `first` 1), to show; the number where there is no name."""
    one = segment.value(number)
    name = _named(one, first)
    parts = (name.get(part) for part in ("given", "middle", "family", "suffix"))
    return " ".join(part for part in parts if part) or one[1]

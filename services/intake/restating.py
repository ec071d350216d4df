"""What messages say of appointments, observations, documents and referrals, read once more. Pure.

As with stays: what a message says now takes the place of what it said, and a thing is told once, after all of them. A
thing of which nothing is said any longer (its number belongs to another authority now) is taken back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.intake import standing
from services.intake.message import AdtMessage
from services.intake.patient import Record, learn_under, record_as_json, values_of
from services.intake.standing import Occasion, Standing, Standings, key_of
from services.intake.statement import About, Statement
from shared.events import Draft
from shared.events.people import Facility, PatientSummary

Gone = Mapping[About, str]
# The status that takes a thing back, of each kind's own.
GONE: Gone = {
    About.APPOINTMENT: "cancelled",
    About.OBSERVATION: "D",
    About.DOCUMENT: "cancelled",
    About.REFERRAL: "cancelled",
}


DIGEST_KEPT = 16
"""Of a message's digest, what the order of its statements has."""


@dataclass(frozen=True, slots=True)
class Word:
    """One message's part about one patient, as it reads now."""

    message_id: UUID
    part: AdtMessage
    feed: str
    facility: Facility
    patient_id: str
    encounter_id: UUID | None


@dataclass(frozen=True, slots=True)
class _LastWord:
    message_id: UUID
    occurred: datetime
    facility: Facility


class Restating:
    """The things of a few patients, whose locks are held. `take` all messages, then `finish`."""

    def __init__(self, standings: Standings) -> None:
        self._standings = standings
        self._changed: dict[UUID, _LastWord] = {}

    def take(self, word: Word) -> Iterator[str]:
        """Puts the word in the place of what the same message said; yields the names of what differs."""
        said: dict[UUID, list[Statement]] = {}
        for statement in word.part.statements:
            said.setdefault(statement.id_on(word.feed), []).append(statement)
        mine = mark_of(word.part)
        known = [thing.id for thing in self._standings.by_id.values() if _has_said(thing.record, mine)]
        for thing_id in dict.fromkeys([*said, *known]):
            yield from self._take(word, thing_id, said.get(thing_id, []))

    def _take(self, word: Word, thing_id: UUID, statements: Sequence[Statement]) -> Iterator[str]:
        if thing_id in self._standings.by_id:
            thing = self._standings.by_id[thing_id]
        else:
            thing = self._standings.find(word.feed, word.patient_id, statements[0])
        before = thing.record
        record = relearn(before, mark_of(word.part), statements)
        if record_as_json(record) == record_as_json(before):
            return
        thing.record, thing.is_touched = record, True
        thing.encounter_id = word.encounter_id or thing.encounter_id
        occurred = statements[-1].occurred if statements else word.part.occurred
        self._changed[thing_id] = _LastWord(word.message_id, occurred, word.facility)
        names = _differences(values_of(before), values_of(record)) or ["recorded"]
        yield from (f"{thing.about}: {name}" for name in names)

    def finish(self, summary: Callable[[str], PatientSummary]) -> Iterator[tuple[UUID, list[Draft]]]:
        """What must be told, with the last message that changed it."""
        for thing_id, last in self._changed.items():
            thing = self._standings.by_id[thing_id]
            thing.version += 1
            sayings = thing.settle(_now(thing))
            occasion = Occasion(summary(thing.patient_id), last.facility, str(last.message_id), is_late=True)
            yield last.message_id, standing.drafts(thing, last.occurred, occasion, sayings)


def mark_of(part: AdtMessage) -> tuple[str, str]:
    """Control id and digest, by which its sayings are known."""
    return part.order.control_id, part.order.digest[:DIGEST_KEPT]


def relearn(record: Record, mine: Sequence[str], statements: Sequence[Statement]) -> Record:
    """The record with these statements in the place of what the message of this control id and digest said."""
    kept: Record = tuple(saying for saying in record if list(saying.order[-2:]) != list(mine))
    for statement in statements:
        kept = learn_under(key_of(statement.order), kept, _plain(statement.said))
    return kept


def _has_said(record: Record, mine: Sequence[str]) -> bool:
    return any(list(saying.order[-2:]) == list(mine) for saying in record)


def _now(thing: Standing) -> dict[str, Any]:
    if thing.record or thing.told is None:
        return values_of(thing.record)
    return {**thing.told, "status": GONE[thing.about]}


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {**before, **after} if before.get(name) != after.get(name))


def _plain(said: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from the store."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(said))
    return plain

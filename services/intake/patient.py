"""A patient's record: demographics by field, the latest word wins; and what a merge means. Pure."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from services.intake.allergies import ALLERGY
from services.intake.message import OrderKey, Said
from services.intake.person import IDENTIFIERS
from shared.events.people import PatientSummary

_SHOWN_AS = {ALLERGY: "allergies"}


class Saying(NamedTuple):
    """What one message said of a patient, less what a later one has overridden. None deletes."""

    order: tuple[str, ...]
    said: Mapping[str, Any]


Record = tuple[Saying, ...]
"""Sayings, newest first. Usually one or two: a new message says most fields again."""


def learn(record: Record, order: OrderKey, said: Said) -> Record:
    """The record with the message's word. Order of arrival and repetition make no difference."""
    return learn_under((order.recorded, order.sent, order.control_id, order.digest), record, said)


def learn_under(key: tuple[str, ...], record: Record, said: Said) -> Record:
    """As `learn`, with a key of the caller's own: the greater one is the later word."""
    if any(saying.order == key for saying in record):
        return record
    known: set[str] = set()
    kept: list[Saying] = []
    for saying in sorted((*record, Saying(key, said)), key=lambda s: s.order, reverse=True):
        fresh = {name: value for name, value in saying.said.items() if name not in known}
        known.update(fresh)
        if fresh:
            kept.append(Saying(saying.order, fresh))
    return tuple(kept)


def inherited(record: Record, retired: Record) -> Record:
    """The record with what was said of the retired one; the retired one's numbers stay behind."""
    for saying in retired:
        said = {name: value for name, value in saying.said.items() if not name.startswith(IDENTIFIERS)}
        record = learn_under(saying.order, record, said)
    return record


def values_of(record: Record) -> dict[str, Any]:
    """What is known now, by field."""
    return {name: value for saying in record for name, value in saying.said.items() if value is not None}


def summarise(patient_id: str, values: Mapping[str, Any]) -> PatientSummary:
    identifiers = [
        {"authority": name.removeprefix(IDENTIFIERS), "type": kind, "value": value}
        for name in sorted(values)
        if name.startswith(IDENTIFIERS)
        for kind, value in values[name]
    ]
    allergies = [values[name] for name in sorted(values) if name.startswith(ALLERGY)]
    return PatientSummary.model_validate(
        {**values, "id": patient_id, "identifiers": identifiers, "allergies": allergies}
    )


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the fields of PatientSummary that differ, sorted."""
    differing = {name for name in {**before, **after} if before.get(name) != after.get(name)}
    return tuple(sorted({_SHOWN_AS.get(name[: len(ALLERGY)], _shown(name)) for name in differing}))


def _shown(name: str) -> str:
    return "identifiers" if name.startswith(IDENTIFIERS) else name


def record_from_json(kept: list[list[Any]]) -> Record:
    return tuple(Saying(tuple(order), said) for order, said in kept)


def record_as_json(record: Record) -> list[list[Any]]:
    return [[list(saying.order), dict(saying.said)] for saying in record]


class Merge(Enum):
    """What an A40 asks for, given who its two identifiers stand for."""

    NEW = auto()
    ALREADY_DONE = auto()
    CYCLE = auto()


def judge_merge(retired: str, survivor: str, surviving: Mapping[str, str]) -> Merge:
    """`surviving` says for each record which one it has been merged into (itself, if none).

    The reverse of an earlier merge is a cycle: which of the two is right, only a person can tell.
    """
    if surviving[retired] != surviving[survivor]:
        return Merge.NEW
    if retired != survivor and surviving[survivor] == retired:
        return Merge.CYCLE
    return Merge.ALREADY_DONE

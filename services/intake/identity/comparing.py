"""Two people field by field: at which level each field agrees. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

from services.intake.identity.jaro import jaro_winkler
from services.intake.identity.traits import Residence, Traits

FULL_DATE = 10


class Level(StrEnum):
    """From best to worst; `missing` on either side says nothing."""

    EXACT = "exact"
    NEAR = "near"
    PARTIAL = "partial"
    POSTAL = "postal"
    CITY = "city"
    STATE = "state"
    DIFFERENT = "different"
    MISSING = "missing"


class Likeness(Protocol):
    """From which Jaro-Winkler on names and streets count as alike."""

    @property
    def similar_name(self) -> float: ...
    @property
    def similar_street(self) -> float: ...


FIELDS = ("family", "given", "birth_date", "sex", "address", "phone", "ssn4", "record_number")


def compare(one: Traits, other: Traits, likeness: Likeness) -> dict[str, Level]:
    """The level of each of FIELDS."""
    return {
        "family": compare_names(one.family, other.family, likeness.similar_name),
        "given": compare_names(one.given, other.given, likeness.similar_name),
        "birth_date": compare_dates(one.birth_date, other.birth_date),
        "sex": _plainly(one.sex, other.sex),
        "address": compare_residences(one.residence, other.residence, likeness.similar_street),
        "phone": _in_common(one.phones, other.phones),
        "ssn4": _plainly(one.ssn4, other.ssn4),
        "record_number": _in_common(_endings(one), _endings(other)),
    }


def compare_names(one: str, other: str, similar: float) -> Level:
    if not one or not other:
        return Level.MISSING
    if one == other:
        return Level.EXACT
    return Level.NEAR if jaro_winkler(one, other) >= similar else Level.DIFFERENT


def compare_dates(one: str, other: str) -> Level:
    """`near`: one digit is off, or day and month are swapped. `partial`: the coarser one agrees as far as it goes."""
    if not one or not other:
        return Level.MISSING
    if len(one) < FULL_DATE or len(other) < FULL_DATE:
        return Level.PARTIAL if one.startswith(other) or other.startswith(one) else Level.DIFFERENT
    if one == other:
        return Level.EXACT
    is_swapped = (one[:4], one[5:7], one[8:]) == (other[:4], other[8:], other[5:7])
    is_one_off = sum(left != right for left, right in zip(one, other, strict=True)) == 1
    return Level.NEAR if is_swapped or is_one_off else Level.DIFFERENT


def compare_residences(one: Residence, other: Residence, similar: float) -> Level:
    """`exact`: the same street in the same place; then only postal code, city or state."""
    if not any(one) or not any(other):
        return Level.MISSING
    same = {name: bool(left) and left == right for name, left, right in zip(one._fields, one, other, strict=True)}
    if (same["postal"] or same["city"]) and jaro_winkler(one.street, other.street) >= similar:
        return Level.EXACT
    for name, level in (("postal", Level.POSTAL), ("city", Level.CITY), ("state", Level.STATE)):
        if same[name]:
            return level
    comparable = any(left and right for left, right in zip(one, other, strict=True))
    return Level.DIFFERENT if comparable else Level.MISSING


def disagreements(levels: Mapping[str, Level]) -> frozenset[str]:
    return frozenset(name for name, level in levels.items() if level is Level.DIFFERENT)


def _plainly(one: str, other: str) -> Level:
    if not one or not other:
        return Level.MISSING
    return Level.EXACT if one == other else Level.DIFFERENT


def _in_common(one: frozenset[str], other: frozenset[str]) -> Level:
    if not one or not other:
        return Level.MISSING
    return Level.EXACT if one & other else Level.DIFFERENT


def _endings(person: Traits) -> frozenset[str]:
    return frozenset(number.value[-4:] for number in person.numbers)

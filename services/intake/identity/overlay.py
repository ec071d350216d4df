"""Overlay: a known number that suddenly names another person altogether. Pure.

The usual cause is a clerk who opened the wrong record; the message is held until a person has decided.
"""

from collections.abc import Mapping
from typing import Any

from services.intake.identity.comparing import Level, compare_dates, compare_names
from services.intake.identity.traits import plain
from services.intake.message import Said
from services.intake.patient import Record

SAME_NAME = 0.85
"""Jaro-Winkler from which a name that differs is rather a correction: half way between the names of two people and
a misspelling in Winkler's tables (1990)."""


def suspects_overlay(record: Record, said: Said) -> bool:
    """Whether name, birth date and sex all change at once; what is not known or not said is no change."""
    # Cheapest first: nearly every message says again what is known.
    sex = said.get("sex")
    if sex not in {"F", "M"} or _known(record, "sex") not in {"F", "M"} - {sex}:
        return False
    if compare_dates(_known(record, "birth_date") or "", said.get("birth_date") or "") is not Level.DIFFERENT:
        return False
    return _names_differ(_known(record, "name") or {}, said.get("name") or {})


def _known(record: Record, field: str) -> Any:
    return next((saying.said[field] for saying in record if field in saying.said), None)


def _names_differ(known: Mapping[str, str], said: Mapping[str, str]) -> bool:
    levels = [
        compare_names(plain(known.get(part) or ""), plain(said.get(part) or ""), SAME_NAME)
        for part in ("family", "given")
    ]
    return Level.DIFFERENT in levels and not {Level.EXACT, Level.NEAR} & set(levels)

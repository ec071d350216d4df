"""The ADT triggers that intake applies. All others are stored, counted and positively acknowledged, without effect."""

from collections.abc import Mapping

from services.intake.message import Rank

MERGES = frozenset({"A18", "A34", "A36", "A39", "A40"})
PATIENT_ONLY = frozenset({"A28", "A31"})

STANDS_OPEN = "in-progress"
"""Not of HL7 v2: an Encounter of FHIR that says how things stand."""

_OPENERS = ("A01", "A04", "A05", "A14", "A06")
_CHANGES = ("A02", "A07", "A08", "A16", "A21", "A22", "A54", "A55", STANDS_OPEN, *sorted(MERGES | PATIENT_ONLY))
_CLOSERS = ("A03",)
_CANCELS = ("A11", "A12", "A13", "A23", "A25", "A27", "A38", "A52", "A53")

RANKS: Mapping[str, int] = {
    **dict.fromkeys(_OPENERS, Rank.OPENER.value),
    **dict.fromkeys(_CHANGES, Rank.CHANGE.value),
    **dict.fromkeys(_CLOSERS, Rank.CLOSER.value),
    **dict.fromkeys(_CANCELS, Rank.CANCEL.value),
}

NOTHING_TO_DO = frozenset({"A20"})
"""Understood, and of no consequence here: the status of a bed is nobody's stay."""

"""The ADT triggers that intake applies, by what kind of change they are (HL7 v2.5 to 2.8, chapter 3).

What stands in none of these is stored, counted and positively acknowledged, without effect.
"""

from collections.abc import Mapping

from services.intake.message import Rank

MERGES = frozenset({"A18", "A30", "A34", "A35", "A36", "A39", "A40", "A46", "A47"})
"""Two records, or two numbers of one, become one: MRG-1 redirects to PID-3 for ever after."""
LINKS: Mapping[str, bool] = {"A24": True, "A37": False}
"""Two patients are said to be linked, or no longer; no number is retired."""
ACCOUNT_CHANGES = frozenset({"A41", "A49"})
"""What was of account MRG-3 is of account PID-18."""
VISIT_CHANGES = frozenset({"A42", "A50"})
"""Visit MRG-5 is visit PV1-19: two records of one visit, or another number of it."""
MOVES = frozenset({"A43", "A44", "A45"})
"""Stays belong to PID-3, not to MRG-1; who lives on. All of them, those of account MRG-3, or visit MRG-5."""
PATIENT_ONLY = frozenset({"A28", "A29", "A31", "A48", "A60"})
SWAPS = frozenset({"A17"})
NOTHING_TO_DO = frozenset({"A20"})
"""Understood, and of no consequence here: the status of a bed is nobody's stay."""

ALONE = MERGES | frozenset(LINKS) | ACCOUNT_CHANGES | VISIT_CHANGES | MOVES
"""Touch more than the patients and the visits they name: committed in a group of their own."""
OF_SEVERAL = MERGES | frozenset(LINKS) | SWAPS
"""May hold a PID for each of several patients."""
WITHOUT_STAY = MERGES | frozenset(LINKS) | ACCOUNT_CHANGES | MOVES | PATIENT_ONLY

AMENDS_MOVEMENT = "Z99"
"""Updates a movement that ZBE names (IHE PAM, ITI-31); without ZBE it may be anything."""
MOVEMENT_GONE = "movement-gone"
"""Not of HL7 v2: what is left of a cancel once the movement that it names is taken out of the stay."""
STANDS_OPEN = "in-progress"
"""Not of HL7 v2: an Encounter of FHIR that says how things stand."""

_OPENERS = ("A01", "A04", "A05", "A14", "A06")
_ON_THE_STAY = (
    *("A02", "A07", "A08", "A09", "A10", "A15", "A16", "A17", "A21", "A22", "A51", "A54", "A61"),
    AMENDS_MOVEMENT,
    STANDS_OPEN,
)
_CLOSERS = ("A03",)
_CANCELS = ("A11", "A12", "A13", "A23", "A25", "A26", "A27", "A32", "A33", "A38", "A52", "A53", "A55", "A62")

RANKS: Mapping[str, int] = {
    **dict.fromkeys(_OPENERS, Rank.OPENER.value),
    **dict.fromkeys((*_ON_THE_STAY, *sorted(ALONE | PATIENT_ONLY)), Rank.CHANGE.value),
    **dict.fromkeys(_CLOSERS, Rank.CLOSER.value),
    **dict.fromkeys(_CANCELS, Rank.CANCEL.value),
}

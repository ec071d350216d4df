"""Allergies and intolerances: A60, with IAM (or AL1) segments."""

from typing import Any

from services.intake.er7 import Message, Segment

ALLERGY = "allergy "
_DELETED = "D"
# What of it is unchanged (IAM-6, HL7 table 0323) says nothing.
_UNCHANGED = "X"


def allergies(source: Message) -> dict[str, Any]:
    """Said by allergen, so that one message may add one and another delete it: None deletes."""
    said: dict[str, Any] = {}
    for allergy in (*source.all("IAM"), *source.all("AL1")):
        coded = allergy.value(3)
        key = coded[1] or coded[2]
        action = allergy.value(6)[1] if allergy.raw(0) == "IAM" else None
        if key and action != _UNCHANGED:
            said[f"{ALLERGY}{key}"] = None if action == _DELETED else _allergy(allergy)
    return said


def _allergy(allergy: Segment) -> dict[str, str]:
    coded = allergy.value(3)
    found = {
        "code": coded[1],
        "text": coded[2],
        "system": coded[3],
        "type": allergy.text(2),
        "severity": allergy.text(4),
        "reaction": allergy.text(5),
    }
    return {name: value for name, value in found.items() if value}

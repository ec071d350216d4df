"""Code systems of ADT messages and what they mean here: PV1-2, NUBC FL17 (PV1-36), PID-3 identifier types."""

from collections.abc import Mapping

from shared.events.people import Disposition, EncounterClass

CLASSES: Mapping[str, EncounterClass] = {
    "E": EncounterClass.EMERGENCY,
    "I": EncounterClass.INPATIENT,
    "O": EncounterClass.AMBULATORY,
    "P": EncounterClass.PREADMISSION,
    "V": EncounterClass.OBSERVATION,
    "S": EncounterClass.SHORT_STAY,
}

# HL7 table 0004, and V and S of the Direct to Alerts map.
PATIENT_CLASSES = frozenset("BCEINOPRUVS")

# NUBC FL17 -> FHIR discharge-disposition.
DISPOSITIONS: Mapping[str, str] = {
    "01": "home",
    "02": "other-hcf",
    "03": "snf",
    "04": "long",
    "05": "oth",
    "06": "alt-home",
    "07": "aadvice",
    "20": "exp",
    "21": "oth",
    "30": "oth",
    "40": "exp",
    "41": "exp",
    "42": "exp",
    "43": "other-hcf",
    "50": "hosp",
    "51": "hosp",
    "61": "snf",
    "62": "rehab",
    "63": "long",
    "64": "long",
    "65": "psy",
    "66": "other-hcf",
    "70": "other-hcf",
}
STILL_A_PATIENT = "30"

# 81-95 are the codes above "with a planned readmission".
_PLANNED_READMISSION: Mapping[str, str] = {
    **{f"8{base}": f"0{base}" for base in range(1, 7)},
    "87": "21",
    "88": "43",
    "89": "61",
    "90": "62",
    "91": "63",
    "92": "64",
    "93": "65",
    "94": "66",
    "95": "70",
}

# Which of a patient's identifiers stands for the record; others are looked at only when that one is unknown.
IDENTITY_PREFERENCE = ("MR", "PI", "PT", "MRN", "EPI", "PN")
# Never enough to recognise a patient by: not assigned by the facility, shared, mistyped or recycled.
NO_IDENTITY = frozenset({"SS", "DL", "PPN", "MA", "MC", "AN", "VN", "XX", "HC", "NI", "NH"})

# SCH-25 (HL7 table 0278, and the words that senders use) -> where an appointment stands. What is only asked for, or
# waited for, is no appointment yet.
_APPOINTMENT_STATUSES: Mapping[str, str] = {
    **dict.fromkeys(("BOOKED", "SCHEDULED", "CONFIRMED", "OVERBOOK", "PENDING"), "booked"),
    **dict.fromkeys(("CANCELLED", "CANCELED", "DELETED", "DC", "DISCONTINUED"), "cancelled"),
    **dict.fromkeys(("NOSHOW", "NOTATTENDED"), "no-show"),
    **dict.fromkeys(("COMPLETE", "COMPLETED", "STARTED", "ARRIVED", "CHECKEDIN", "ATTENDED", "FULFILLED"), "attended"),
    **dict.fromkeys(("WAITLIST", "BLOCKED", "PROPOSED"), "waiting"),
}


def appointment_status(word: str | None) -> str | None:
    """Where an appointment stands by the filler's word; None when the word is not known."""
    return _APPOINTMENT_STATUSES.get("".join(letter for letter in word.upper() if letter.isalpha())) if word else None


def class_of(code: str) -> EncounterClass:
    return CLASSES.get(code.upper(), EncounterClass.OTHER)


def disposition_of(word: str, local: Mapping[str, str]) -> Disposition:
    """The feed's word as a disposition: its own map first, then the NUBC code itself; unknown words become `oth`."""
    nubc = local.get(word) or local.get(word.upper()) or word
    nubc = nubc.zfill(2) if nubc.isdigit() else nubc
    base = _PLANNED_READMISSION.get(nubc, nubc)
    fhir = DISPOSITIONS.get(base)
    if fhir is None:
        return Disposition(nubc=None, fhir="oth", source=word)
    return Disposition(nubc=nubc, fhir=fhir, source=word, planned_readmission=base != nubc)

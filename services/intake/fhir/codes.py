"""FHIR's code systems and what they mean here (HL7 v2-to-FHIR map, Da Vinci Alerts notification events)."""

from collections.abc import Mapping

from services.intake.codes import DISPOSITIONS, class_of, disposition_of
from services.intake.fhir.resources import Concept
from services.intake.triggers import RANKS
from shared.events.people import Disposition, EncounterClass

NPI = "http://hl7.org/fhir/sid/us-npi"
FHIR_DISPOSITION = "http://terminology.hl7.org/CodeSystem/discharge-disposition"
# What HL7 v2 calls these code systems (table 0396), so that a diagnosis reads the same by either way.
CODE_SYSTEMS: Mapping[str, str] = {
    "http://hl7.org/fhir/sid/icd-10-cm": "I10",
    "http://hl7.org/fhir/sid/icd-10": "I10",
    "http://hl7.org/fhir/sid/icd-9-cm": "I9",
    "http://snomed.info/sct": "SCT",
    "http://loinc.org": "LN",
}
SEX: Mapping[str, str] = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
# Encounter.diagnosis.use -> DG1-6.
DIAGNOSIS_USES: Mapping[str, str] = {"AD": "A", "DD": "F", "pre-op": "W", "post-op": "F"}

_CLASSES: Mapping[str, EncounterClass] = {
    **{known.value: known for known in EncounterClass},
    "ACUTE": EncounterClass.INPATIENT,
    "NONAC": EncounterClass.INPATIENT,
    "VR": EncounterClass.AMBULATORY,
    "HH": EncounterClass.AMBULATORY,
}
STAYS = frozenset({EncounterClass.INPATIENT, EncounterClass.OBSERVATION, EncounterClass.SHORT_STAY})

# One NUBC code stands for each FHIR disposition: the rules downstream think in NUBC.
_NUBC: Mapping[str, str] = {
    "home": "01",
    "alt-home": "06",
    "other-hcf": "02",
    "snf": "03",
    "long": "04",
    "aadvice": "07",
    "exp": "20",
    "hosp": "51",
    "rehab": "62",
    "psy": "65",
}

_NOTICES: Mapping[str, str] = {
    "notification-discharge": "A03",
    "notification-transfer": "A02",
    "notification-outpatient-visit": "A04",
    "notification-care-team-change": "A54",
    **dict.fromkeys(
        (
            "notification-new-condition",
            "notification-coverage-change",
            "notification-progress-update",
            "notification-tx-change",
            "notification-social-determinants-change",
        ),
        "A08",
    ),
}
_STATUSES: Mapping[str, str] = {
    "planned": "A05",
    "arrived": "A04",
    "triaged": "A04",
    "in-progress": "in-progress",
    "onleave": "A21",
    "finished": "A03",
    "cancelled": "A11",
    "entered-in-error": "A23",
    "unknown": "A08",
}


def class_named(code: str, local: Mapping[str, str]) -> EncounterClass | None:
    """A v3-ActCode, or the feed's own code by its map; None when neither is known."""
    if code in local:
        return class_of(local[code])
    return _CLASSES.get(code.upper())


def trigger_of_event(event: str, encounter_class: EncounterClass) -> str | None:
    """The HL7 v2 trigger that a message event stands for: `notification-admit`, `ADT^A01`, `A01`."""
    if event == "notification-admit":
        return _opening(encounter_class)
    if event in _NOTICES:
        return _NOTICES[event]
    trigger = event.upper().replace("-", "^").rpartition("^")[2]
    return trigger if trigger in RANKS else None


def trigger_of_status(status: str) -> str:
    """The trigger that a single Encounter of this status stands for: it says how things stand now."""
    return _STATUSES[status]


def _opening(encounter_class: EncounterClass) -> str:
    if encounter_class is EncounterClass.PREADMISSION:
        return "A05"
    return "A01" if encounter_class in STAYS else "A04"


def disposition_from(concept: Concept, local: Mapping[str, str]) -> Disposition | None:
    """The feed's own word first, then NUBC FL17, then FHIR's discharge-disposition; None where nothing is said."""
    words = [coding.code for coding in concept.coding if coding.code] or ([concept.text] if concept.text else [])
    if not words:
        return None
    known = [found for word in words if (found := disposition_of(word, local)).nubc]
    known += [
        Disposition(nubc=_NUBC.get(coding.code), fhir=coding.code, source=coding.code)
        for coding in concept.coding
        if coding.code and coding.code in DISPOSITIONS.values() and coding.system in {FHIR_DISPOSITION, None}
    ]
    return known[0] if known else Disposition(nubc=None, fhir="oth", source=words[0])

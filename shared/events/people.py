"""People, places and codes that several families of events speak of. Names stand only in event values."""

from datetime import datetime
from enum import StrEnum

from shared.events.fact import Part


class Identifier(Part):
    """An identifier is (authority, type, value): a number alone is never unique across facilities (HL7 v2 CX)."""

    authority: str
    value: str
    type: str = "MR"


class PersonName(Part):
    family: str | None = None
    given: str | None = None
    middle: str | None = None
    suffix: str | None = None

    @property
    def display(self) -> str:
        return " ".join(p for p in (self.given, self.middle, self.family, self.suffix) if p) or "(no name)"


class Practitioner(Part):
    """A clinician named in a message. `npi` is set only where the message says the identifier is an NPI."""

    npi: str | None = None
    local_id: str | None = None
    authority: str | None = None
    name: PersonName = PersonName()


class Participant(Part):
    """A practitioner in a role of this encounter; `role` is a code of v3-ParticipationType (ATND, REF, CON, ADM)."""

    role: str
    practitioner: Practitioner


class Allergy(Part):
    """An allergy or intolerance (AL1, IAM): codes as the source says them."""

    code: str | None = None
    text: str | None = None
    system: str | None = None
    type: str | None = None
    severity: str | None = None
    reaction: str | None = None


class PatientSummary(Part):
    """Who the patient is, as intake knows it now. `id` is opaque and is the key of every topic.

    `birth_date` keeps the precision of the source: `1948`, `1948-02` or `1948-02-14`. `is_active` is false once the
    source has deleted the person (A29); nothing of what was known is deleted with it.
    """

    id: str
    name: PersonName = PersonName()
    birth_date: str | None = None
    sex: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    deceased: bool = False
    deceased_at: datetime | None = None
    phones: tuple[str, ...] = ()
    address: str | None = None
    language: str | None = None
    is_active: bool = True
    allergies: tuple[Allergy, ...] = ()


class Facility(Part):
    """Where the encounter takes place. Day arithmetic is on local dates of `time_zone` (IANA name)."""

    code: str
    name: str | None = None
    npi: str | None = None
    time_zone: str = "UTC"
    state: str | None = None


class Location(Part):
    """A place in a facility (HL7 v2 PL): point of care (ward), room, bed."""

    point_of_care: str | None = None
    room: str | None = None
    bed: str | None = None
    facility: str | None = None


class Diagnosis(Part):
    code: str
    system: str | None = None
    text: str | None = None
    type: str | None = None
    rank: int | None = None


class EncounterClass(StrEnum):
    """v3-ActCode classes (HL7 v2-to-FHIR map of PV1-2); `OTHER` where no standard code exists (B C N R U)."""

    INPATIENT = "IMP"
    EMERGENCY = "EMER"
    AMBULATORY = "AMB"
    PREADMISSION = "PRENC"
    OBSERVATION = "OBSENC"
    SHORT_STAY = "SS"
    OTHER = "OTHER"


class EncounterStatus(StrEnum):
    """FHIR R4 Encounter.status."""

    PLANNED = "planned"
    ARRIVED = "arrived"
    TRIAGED = "triaged"
    IN_PROGRESS = "in-progress"
    ON_LEAVE = "onleave"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered-in-error"
    UNKNOWN = "unknown"


class Disposition(Part):
    """Discharge disposition: the NUBC FL17 code, the FHIR discharge-disposition code and the feed's own word.

    `nubc` is None when the feed's word is in no map; `fhir` is then `oth`.
    """

    nubc: str | None = None
    fhir: str = "oth"
    source: str | None = None
    planned_readmission: bool = False

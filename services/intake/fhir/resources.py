"""The elements of FHIR R4 that are read here, and no more: extensions and further elements are let through."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

# FHIR dateTime: a year, a month, a day, or an instant with its offset.
DateTime = Annotated[
    str,
    Field(pattern=r"^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?)?)?$"),
]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9\-.]{1,64}$")]
MOST = 500
T = TypeVar("T")
Several = Annotated[tuple[T, ...], Field(max_length=MOST)]
"""A list that may be gone through for each entry of another one: without a bound, two megabytes would take a minute."""


class Element(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", str_max_length=65_536)


class Coding(Element):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class Concept(Element):
    """A CodeableConcept."""

    coding: Several[Coding] = ()
    text: str | None = None

    @property
    def first(self) -> Coding:
        return next((coding for coding in self.coding if coding.code), Coding())

    @property
    def words(self) -> str | None:
        return self.text or self.first.display or self.first.code


class BusinessIdentifier(Element):
    system: str | None = None
    value: str | None = None
    type: Concept = Concept()
    use: str | None = None

    def is_of(self, kind: str) -> bool:
        return any(coding.code == kind for coding in self.type.coding)


class Reference(Element):
    reference: str | None = None
    type: str | None = None
    identifier: BusinessIdentifier | None = None
    display: str | None = None


class Period(Element):
    start: DateTime | None = None
    end: DateTime | None = None


class HumanName(Element):
    use: str | None = None
    text: str | None = None
    family: str | None = None
    given: Several[str] = ()
    suffix: Several[str] = ()


class ContactPoint(Element):
    system: str | None = None
    value: str | None = None


class Address(Element):
    text: str | None = None
    line: Several[str] = ()
    city: str | None = None
    state: str | None = None
    postal_code: str | None = Field(default=None, alias="postalCode")
    country: str | None = None


class Communication(Element):
    language: Concept = Concept()
    preferred: bool = False


class Meta(Element):
    last_updated: DateTime | None = Field(default=None, alias="lastUpdated")
    version_id: Id | None = Field(default=None, alias="versionId")


class Resource(Element):
    resource_type: str = Field(alias="resourceType")
    id: Id | None = None
    meta: Meta = Meta()
    contained: tuple[dict[str, Any], ...] = ()


class PatientLink(Element):
    other: Reference
    type: Literal["replaced-by", "replaces", "refer", "seealso"]


class Patient(Resource):
    resource_type: Literal["Patient"] = Field(alias="resourceType")
    identifier: Several[BusinessIdentifier] = ()
    name: Several[HumanName] = ()
    gender: Literal["male", "female", "other", "unknown"] | None = None
    birth_date: Annotated[str, Field(pattern=r"^\d{4}(-\d\d(-\d\d)?)?$")] | None = Field(
        default=None, alias="birthDate"
    )
    deceased_flag: bool | None = Field(default=None, alias="deceasedBoolean")
    deceased_at: DateTime | None = Field(default=None, alias="deceasedDateTime")
    telecom: Several[ContactPoint] = ()
    address: Several[Address] = ()
    communication: Several[Communication] = ()
    general_practitioner: Several[Reference] = Field(default=(), alias="generalPractitioner")
    active: bool | None = None
    link: Several[PatientLink] = ()


class Practitioner(Resource):
    resource_type: Literal["Practitioner"] = Field(alias="resourceType")
    identifier: Several[BusinessIdentifier] = ()
    name: Several[HumanName] = ()


class Location(Resource):
    resource_type: Literal["Location"] = Field(alias="resourceType")
    identifier: Several[BusinessIdentifier] = ()
    name: str | None = None
    physical_type: Concept = Field(default=Concept(), alias="physicalType")
    part_of: Reference | None = Field(default=None, alias="partOf")


class Condition(Resource):
    resource_type: Literal["Condition"] = Field(alias="resourceType")
    code: Concept = Concept()
    verification: Concept = Field(default=Concept(), alias="verificationStatus")


class EncounterParticipant(Element):
    type: Several[Concept] = ()
    individual: Reference | None = None


class EncounterLocation(Element):
    location: Reference
    status: Literal["planned", "active", "reserved", "completed"] | None = None
    period: Period = Period()


class EncounterDiagnosis(Element):
    condition: Reference
    use: Concept = Concept()
    rank: int | None = Field(default=None, ge=1)


class Hospitalization(Element):
    admit_source: Concept = Field(default=Concept(), alias="admitSource")
    discharge_disposition: Concept = Field(default=Concept(), alias="dischargeDisposition")
    destination: Reference | None = None


EncounterStatusCode = Literal[
    "planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled", "entered-in-error", "unknown"
]


class Encounter(Resource):
    resource_type: Literal["Encounter"] = Field(alias="resourceType")
    identifier: Several[BusinessIdentifier] = ()
    status: EncounterStatusCode
    encounter_class: Coding = Field(alias="class")
    type: Several[Concept] = ()
    service_type: Concept = Field(default=Concept(), alias="serviceType")
    priority: Concept = Concept()
    subject: Reference
    participant: Several[EncounterParticipant] = ()
    period: Period = Period()
    reason_code: Several[Concept] = Field(default=(), alias="reasonCode")
    diagnosis: Several[EncounterDiagnosis] = ()
    hospitalization: Hospitalization = Hospitalization()
    location: Several[EncounterLocation] = ()


class MessageHeader(Resource):
    resource_type: Literal["MessageHeader"] = Field(alias="resourceType")
    event_coding: Coding | None = Field(default=None, alias="eventCoding")
    event_uri: str | None = Field(default=None, alias="eventUri")
    focus: Several[Reference] = Field(min_length=1)

    @property
    def event(self) -> str:
        return (self.event_coding.code if self.event_coding else None) or self.event_uri or ""


class Entry(Element):
    full_url: str | None = Field(default=None, alias="fullUrl")
    resource: dict[str, Any]


class MessageBundle(Resource):
    resource_type: Literal["Bundle"] = Field(alias="resourceType")
    type: Literal["message"]
    timestamp: DateTime
    entry: tuple[Entry, ...] = Field(min_length=2)


class Parameter(Element):
    name: str
    reference: Reference | None = Field(default=None, alias="valueReference")
    identifier: BusinessIdentifier | None = Field(default=None, alias="valueIdentifier")
    flag: bool | None = Field(default=None, alias="valueBoolean")
    resource: dict[str, Any] | None = None


class Parameters(Resource):
    resource_type: Literal["Parameters"] = Field(alias="resourceType")
    parameter: tuple[Parameter, ...] = Field(min_length=1)

    def named(self, name: str) -> tuple[Parameter, ...]:
        return tuple(one for one in self.parameter if one.name == name)

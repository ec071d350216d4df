"""A stay as a story: which acts happen, in what order and after what share of the stay, and what they change."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from deploy.simulator.people import Person, corrected
from deploy.simulator.places import EMERGENCY, Hospital, Roster

# Each: its code in ICD-10-CM, its text, the ward that treats it.
DIAGNOSES = (
    ("I50.9", "Heart failure, unspecified", "CAR"),
    ("I21.4", "Non-ST elevation myocardial infarction", "CAR"),
    ("J44.1", "Chronic obstructive pulmonary disease with acute exacerbation", "PUL"),
    ("J18.9", "Pneumonia, unspecified organism", "PUL"),
    ("S72.001A", "Fracture of unspecified part of neck of right femur", "SUR"),
    ("K35.80", "Unspecified acute appendicitis", "SUR"),
    ("I63.9", "Cerebral infarction, unspecified", "NEU"),
    ("E11.65", "Type 2 diabetes mellitus with hyperglycemia", "MED"),
    ("N17.9", "Acute kidney failure, unspecified", "MED"),
    ("A41.9", "Sepsis, unspecified organism", "ICU"),
)
# NUBC FL17: home, home health, nursing facility, rehabilitation, hospice, against advice, expired
DISPOSITIONS = (("01", 60), ("06", 14), ("03", 12), ("62", 5), ("50", 3), ("07", 2), ("20", 4))
DIED = "20"
BY_MISTAKE = 0.05  # of the stays that are no emergencies: taken back
# With updates an emergency visit has about 5 messages, an inpatient stay about 20, as real ones have.
UPDATES = {"E": 3, "I": 6}
WITH_NEWS = 0.2


@dataclass(frozen=True, slots=True)
class Kind:
    """What stays are like: the share that never leaves the emergency room, whether registration keeps on updating."""

    emergency: float = 0.22
    has_updates: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """What PV1 and DG1 say of the stay at one moment."""

    number: str
    patient_class: str
    location: str
    attending: str
    pcp: str
    practice: str
    service: str
    diagnosis: tuple[str, str]
    prior_location: str = ""
    disposition: str = ""
    discharged_to: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """One message to be: `after` is the share of the stay's length that has passed since the act before."""

    trigger: str
    person: Person
    visit: Visit
    after: float
    retired: str = ""
    admits: bool = False
    discharges: bool = False


class Story:
    """Tells one stay from its seed."""

    def __init__(
        self, random: Random, hospital: Hospital, known: Roster, person: Person, number: str, kind: Kind
    ) -> None:
        self._random = random
        self._kind = kind
        self._hospital = hospital
        self._known = known
        self._person = person
        code, text, self._ward = random.choice(DIAGNOSES)
        pcp, practice = random.choice(known.primary)
        self._visit = Visit(
            number=number,
            patient_class="E",
            location=hospital.bed(random, EMERGENCY),
            attending=random.choice(known.attending),
            pcp=pcp,
            practice=practice,
            service="EMR",
            diagnosis=(code, text),
        )

    def acts(self) -> Iterator[Act]:
        chance = self._random.random()
        if chance < self._kind.emergency:
            yield from self._emergency_only()
        elif chance < self._kind.emergency + (1 - self._kind.emergency) * BY_MISTAKE:
            yield from self._admitted_by_mistake()
        else:
            yield from self._inpatient()

    def _emergency_only(self) -> Iterator[Act]:
        yield from self._registered()
        yield from self._meanwhile()
        yield from self._discharged("01")

    def _admitted_by_mistake(self) -> Iterator[Act]:
        self._to_ward()
        yield self._act("A01", 0.0, admits=True)
        yield self._act("A11", 0.1)

    def _inpatient(self) -> Iterator[Act]:
        if self._random.random() < 0.6:  # noqa: PLR2004
            yield from self._registered()
            yield from self._meanwhile()
            self._to_ward()
            yield self._act("A06", 0.15, admits=True)
        else:
            self._to_ward()
            yield self._act("A01", 0.0, admits=True)
        yield from self._meanwhile()
        for _ in range(self._random.choice((0, 1, 1, 2))):
            self._move()
            yield self._act("A02", 0.2)
            yield from self._meanwhile()
        if self._random.random() < 0.5:  # noqa: PLR2004
            yield self._amend(0.15)
        codes, weights = zip(*DISPOSITIONS, strict=True)
        disposition = self._random.choices(codes, weights)[0]
        yield from self._discharged(disposition)
        if disposition != DIED and self._random.random() < 0.06:  # noqa: PLR2004
            yield from self._discharge_taken_back(disposition)

    def _registered(self) -> Iterator[Act]:
        """Some arrive unidentified: registered under a temporary number that is merged once their own is known."""
        if self._random.random() < 0.08:  # noqa: PLR2004
            identified = self._person
            temporary = f"T{self._visit.number.removeprefix('V')}"
            self._person = replace(identified, mrn=temporary, family="Unknown", given="Patient", middle="")
            yield self._act("A04", 0.0)
            self._person = identified
            yield self._act("A40", 0.1, retired=temporary)
            yield self._amend(0.02)
        else:
            yield self._act("A04", 0.0)

    def _meanwhile(self) -> Iterator[Act]:
        """Few of registration's updates say anything new."""
        for _ in range(UPDATES[self._visit.patient_class] if self._kind.has_updates else 0):
            has_news = self._random.random() < WITH_NEWS
            yield self._amend(0.02) if has_news else self._act("A08", 0.02)

    def _amend(self, after: float) -> Act:
        self._person = corrected(self._random, self._person)
        return self._act("A08", after)

    def _to_ward(self) -> None:
        self._visit = replace(
            self._visit,
            patient_class="I",
            prior_location=self._visit.location,
            location=self._hospital.bed(self._random, self._ward),
            service=self._ward,
        )

    def _move(self) -> None:
        ward = self._random.choice((self._ward, "MED", "ICU"))
        moved = self._hospital.bed(self._random, ward)
        self._visit = replace(self._visit, prior_location=self._visit.location, location=moved)

    def _discharged(self, disposition: str) -> Iterator[Act]:
        self._visit = replace(
            self._visit,
            disposition=self._hospital.disposition(disposition),
            discharged_to=self._known.receiving.get(disposition, ""),
        )
        self._person = replace(self._person, deceased=disposition == DIED)
        yield self._act("A03", 0.3, discharges=True)

    def _discharge_taken_back(self, disposition: str) -> Iterator[Act]:
        self._visit = replace(self._visit, disposition="", discharged_to="")
        yield self._act("A13", 0.1)
        yield from self._discharged(disposition)

    def _act(
        self, trigger: str, after: float, *, retired: str = "", admits: bool = False, discharges: bool = False
    ) -> Act:
        spread = self._random.uniform(0.5, 1.5)
        return Act(trigger, self._person, self._visit, after * spread, retired, admits, discharges)

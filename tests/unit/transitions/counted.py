"""Patients whose quality is counted in memory: what is told to the rules is told to the measures too."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from typing_extensions import override

from services.transitions.announcement import Cause
from services.transitions.cases import Cases
from services.transitions.escalation import LAPSE, Timer
from services.transitions.evidence import Evidence, evidence_in, standing
from services.transitions.followed import Standing
from services.transitions.quality.counting import outcomes
from services.transitions.quality.keeping import measures_count
from services.transitions.quality.measures import read_measures
from services.transitions.quality.outcome import History, Outcome, Owed, Status
from services.transitions.quality.outcome import Told as LevelTold
from services.transitions.referrals.referral import BY_PERSON, BY_RULE, Deed, Terms, begin
from services.transitions.referrals.states import Kind
from shared.events import AnyEvent
from shared.events.people import Diagnosis, EncounterClass
from tests.unit.transitions import stays
from tests.unit.transitions.stays import CHICAGO, StayTold, Ward, at
from tests.unit.transitions.worked import LINE, STAY, Told

PAGE = Path(__file__).parents[3] / "docs" / "quality-measures.md"
SECTION = re.compile(r"^### (`[A-Z0-9-]+`.*?)$(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
MEASURES = read_measures()
IN_BED = "class=IMP; born=1950-02-14"
CAME, LEFT = "2026-03-02 10:00-06:00", "2026-03-06 15:00-06:00"
MUCH_LATER = "2027-06-01 00:00-05:00"
PLACES = ("first", "second", "third")
AGAIN = {
    "admitted again": EncounterClass.INPATIENT,
    "observed again": EncounterClass.OBSERVATION,
    "emergency again": EncounterClass.EMERGENCY,
}


def patients() -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
    """Each worked patient: the heading, what the stay is, and the lines."""
    for name, text in SECTION.findall(PAGE.read_text(encoding="utf-8")):
        told = STAY.search(text)
        yield name, told[1] if told else "", [(w, x.strip(), y.strip()) for w, x, y in LINE.findall(text)]


class Listening(Ward):
    """Keeps the deeds that a measure counts, as the service does."""

    def __init__(self) -> None:
        super().__init__()
        self.deeds: list[Evidence] = []

    @override
    def hear(self, *events: AnyEvent) -> "Listening":
        super().hear(*events)
        for event in events:
            deed = evidence_in(event, event.subject) if measures_count(MEASURES, event.fact) else None
            self.deeds += [deed] if deed else []
        return self


@dataclass
class Book(Told):
    """One patient's story so far, with every outcome of it."""

    stays_told: list[StayTold] = field(default_factory=list)
    fired_at: dict[Timer, datetime] = field(default_factory=dict)
    referral: list[Deed] = field(default_factory=list)
    visit: StayTold | None = None

    @classmethod
    def opened(cls, said: str = "") -> "Book":
        book = cls.of(said, Listening())
        assert isinstance(book, Book)
        book.stays_told.append(book.stay)
        return book

    @override
    def tell(self, when: str, words: str) -> None:
        if words == "nothing":
            return
        if words in AGAIN:
            self._come_back(when, AGAIN[words])
        elif words.startswith("referral "):
            self._refer(when, Kind(words.removeprefix("referral ")))
        elif words == "died":
            told = self.stay.state["patient"].model_copy(update={"deceased": True, "deceased_at": at(when)})
            self.ward.hear(stays.updated(told, when))
        elif found := re.fullmatch(r"notice of (admission|discharge) delivered(?: to (.*))?", words):
            self._notice(when, found[1], found[2] or "pcp")
        elif words.startswith("known of the stay: "):
            self._score(when, words.partition(": ")[2])
        elif self._visit(when, words):
            return
        elif found := re.fullmatch(r"medications reconciled by (.*)", words):
            self.ward.hear(stays.reconciled(when, by_role=found[1]))
        else:
            super().tell(when, words)

    def _come_back(self, when: str, as_class: EncounterClass) -> None:
        patient = self.stay.state["patient"]
        self.stay = StayTold(encounter_class=as_class, diagnoses=self.stay.diagnoses)
        self.stay.state["patient"] = patient
        self.stays_told.append(self.stay)
        self.ward.hear(self.stay.admit(when))

    def _score(self, when: str, told: str) -> None:
        """`sodium 133, procedure no`: what a score asks for, as people add it to the stay."""
        words = dict(part.split() for part in told.split(", "))
        values = {name: {"yes": True, "no": False}.get(value, value) for name, value in words.items()}
        case = self.ward.cases["p1"]
        of_stay = {case.followed[self.stay.id].transition.id: values}
        cases = Cases(self.ward.library, self.ward.cases)
        cases.put(replace(case, behind=replace(case.behind, said=of_stay)), Cause(id="person", at=at(when)))
        self.ward.cases["p1"] = cases.of("p1")

    def _visit(self, when: str, words: str) -> bool:
        """Whether the words tell of a visit that says what it was for, or with whom."""
        if words == "registered as an outpatient":
            self.visit = StayTold(encounter_class=EncounterClass.AMBULATORY)
            self.ward.hear(self.visit.arrive(when))
        elif found := re.fullmatch(r"the outpatient was seen (for|by) (.*)", words):
            self._seen(when, found[1], found[2])
        elif found := re.fullmatch(r"visit to (.*)", words):
            self.ward.hear(stays.attended(when, service=found[1]))
        elif found := re.fullmatch(r"visit for (.*)", words):
            self.ward.hear(stays.attended(when, diagnoses=(Diagnosis(code=found[1]),)))
        else:
            return False
        return True

    def _seen(self, when: str, why: str, said: str) -> None:
        """What the last registration was for, or with whom: said, or corrected, afterwards."""
        assert self.visit is not None
        name, value = ("diagnoses", (Diagnosis(code=said),)) if why == "for" else ("hospital_service", said)
        told = self.visit.correct(when, **{name: value})
        self.ward.hear(replace(told, fact=told.fact.model_copy(update={"changed": (name,)})))

    def _notice(self, when: str, of: str, basis: str) -> None:
        told = self.discharge if of == "discharge" else stays.StayTold(id=self.stay.id).admit(when)
        assert told is not None
        self.ward.hear(stays.delivered(told, when, bases=(basis,), encounter_id=self.stay.id))

    def _refer(self, when: str, kind: Kind) -> None:
        said = Terms(facility=CHICAGO, performer="oak", outcome="seen").model_dump(mode="json", exclude_none=True)
        said |= {"duplicate_of": str(UUID(int=8))} if kind is Kind.SUSPECT else {}
        is_suspected = any(deed.kind is Kind.SUSPECT for deed in self.referral)
        source = BY_RULE if kind is Kind.SUSPECT else BY_PERSON if is_suspected else "message"
        self.referral.append(Deed(kind=kind, at=at(when), event_id=uuid4(), source=source, said=said))

    @override
    def ring(self, now: datetime) -> None:
        before = set(self.fired)
        super().ring(now)
        self.fired_at |= dict.fromkeys(self.fired - before, now)

    def history(self) -> History:
        assert isinstance(self.ward, Listening)
        case = self.ward.cases.get("p1")
        followed = [f for f in case.followed.values() if f.standing is not Standing.VOID] if case else []
        owed = [Owed(f.transition, o.task, self._levels(o.task.id)) for f in followed for o in f.tasks]
        return History(
            "p1",
            stays=tuple(f.stayed for f in followed),
            deeds=tuple(sorted(standing(self.ward.deeds), key=lambda deed: deed.order)),
            referrals=(begin(UUID(int=7), "p1", self.referral),) if self.referral else (),
            tasks=tuple(owed),
            scores={f.transition.id: f.weighed.scores for f in followed},
        )

    def _levels(self, task_id: UUID) -> tuple[LevelTold, ...]:
        return tuple(
            LevelTold(timer.level, timer.due_at, fired)
            for timer, fired in self.fired_at.items()
            if timer.task_id == task_id and timer.level != LAPSE
        )

    def outcome(self, measure: str, of: str = "first") -> Outcome | None:
        """Of the stay told first, second …; of the task of this code; or of the only referral."""
        found = [one for one in outcomes(MEASURES, self.history()) if one.measure == measure]
        if self.referral and measure.startswith("REFERRAL"):
            return found[0] if found else None
        if of in PLACES:
            encounter = self.stays_told[PLACES.index(of)]
            case = self.ward.cases["p1"]
            about = case.followed[encounter.id].transition.id if encounter.id in case.followed else None
            return next((one for one in found if one.about == about), None)
        return next((one for one in found if one.why.startswith(f"{of}:")), None)

    def standing_at(self, when: str, measure: str, of: str = "first") -> set[str]:
        """Everything that one may claim of an outcome then."""
        outcome = self.outcome(measure, of)
        if outcome is None:
            return {"not counted"}
        status = outcome.status(at(when))
        said: set[str] = {status.value}
        if status is Status.PENDING and outcome.met:
            said = {"met so far"}
        if outcome.exclusion is not None:
            said.add(outcome.exclusion)
        if outcome.value is not None:
            unit = MEASURES.by_id[measure].unit
            said.add(f"day {outcome.value:.0f}" if unit == "days" else f"{outcome.value:g} {unit}")
        return said

    def claim(self, when: str, claim: str) -> None:
        """`TRC-1 met so far`, `PCR second pending`, `TASKS-IN-TIME interactive-contact missed`."""
        measure, _, said = claim.partition(" ")
        first, _, rest = said.partition(" ")
        of, said = (first, rest) if first in PLACES or (rest and first in self._codes()) else ("first", said)
        found = _expectations(self.outcome(measure, of)) if "rate" in said else self.standing_at(when, measure, of)
        assert said in found, f"{when}: {claim}; it is {', '.join(sorted(found))}"

    def _codes(self) -> set[str]:
        case = self.ward.cases.get("p1")
        return {o.task.code for f in case.followed.values() for o in f.tasks} if case else set()


def _expectations(outcome: Outcome | None) -> set[str]:
    if outcome is None or outcome.expected is None or outcome.expected_most is None:
        return {"without a rate"}
    least, most = f"{100 * outcome.expected:.1f}", f"{100 * outcome.expected_most:.1f}"
    return {f"rate {least} %" if least == most else f"rate {least} to {most} %"}


def days_after(text: str, days: int) -> str:
    """The same wall-clock instant so many days of 24 hours later, in UTC."""
    return (at(text).astimezone(UTC) + timedelta(days=days)).isoformat(sep=" ")


def home(said: str = IN_BED, left: str = LEFT, came: str = CAME) -> Book:
    book = Book.opened(said)
    book.tell(came, "admitted")
    book.tell(left, "discharged home")
    return book


def ends_as(book: Book, measure: str, of: str = "first") -> set[str]:
    return book.standing_at(MUCH_LATER, measure, of)

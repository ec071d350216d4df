"""The worked patients of docs/transitions.md: reads their tables, tells each line to the rules, and checks its claims."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from services.transitions.announcement import Cause
from services.transitions.cases import Cases
from services.transitions.escalation import LAPSE, Timer, fire, timers
from services.transitions.followed import PatientCase
from services.transitions.lapsing import lapsed
from services.transitions.monitoring.answering import open_task
from services.transitions.task import Obligation
from services.transitions.transition import settle
from shared.calendar import end_of_day, zone_of
from shared.events import AnyEvent
from shared.events.followups import AppointmentBooked, AppointmentCancelled, DocumentAvailable
from shared.events.notifications import Acknowledgement, NotificationAcknowledged
from shared.events.people import Disposition, EncounterClass, Identifier, PatientSummary, PersonName
from shared.events.referrals import ReferralRequested
from tests.unit.transitions import stays
from tests.unit.transitions.stays import CHICAGO, StayTold, Ward, at, event_of, follow_up

PAGE = Path(__file__).parents[3] / "docs" / "transitions.md"
SECTION = re.compile(r"^### (`[a-z0-9-]+`.*?)$(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
STAY = re.compile(r"^Stay: (.*)$", re.MULTILINE)
LINE = re.compile(r"^\| (\d{4}-\d\d-\d\d \d\d:\d\d[+-]\d\d:\d\d) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
APPOINTMENT = Identifier(authority="PCP", value="A7")


def patients() -> Iterator[tuple[str, str, list[tuple[str, str, str]]]]:
    """Each worked patient: the heading, what the stay is, and the lines; a row that is no line is a mistake."""
    for name, text in SECTION.findall(PAGE.read_text(encoding="utf-8")):
        told = STAY.search(text)
        lines = [(when, words.strip(), then.strip()) for when, words, then in LINE.findall(text)]
        assert len(lines) == text.count("\n| ") - 1, f"{name}: a row of the table can't be read"
        yield name, told[1] if told else "", lines


@dataclass
class Told:
    """One patient's story so far."""

    stay: StayTold
    ward: Ward
    discharge: AnyEvent | None = None
    fired: set[Timer] = field(default_factory=set)
    asked: dict[str, tuple[Acknowledgement, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, said: str, ward: Ward) -> "Told":
        """`class=IMP; diagnoses=I50.9,N18.3; service=SUR; born=1950-02-14`."""
        given = dict(part.strip().split("=", 1) for part in said.split(";") if part.strip())
        stay = StayTold(
            encounter_class=EncounterClass(given.get("class", "IMP")),
            diagnoses=tuple(code for code in given.get("diagnoses", "").split(",") if code),
        )
        who = PatientSummary(id="p1", name=PersonName(family="Rivera"), birth_date=given.get("born"))
        stay.state |= {"hospital_service": given.get("service"), "patient": who}
        return cls(stay, ward)

    def tell(self, when: str, words: str) -> None:
        if words == "the clock":
            self.ring(at(when))
        elif words.endswith(" alert"):
            self._alert(at(when), f"monitoring-{words.removesuffix(' alert')}")
        elif words == "a visit by video proposed":
            self._alert(at(when), "telehealth-visit")
        else:
            self.ward.hear(self._event(when, words))

    def _alert(self, when: datetime, code: str) -> None:
        """A reading from home was out of its limits: what it asks for is opened, as the monitoring does."""
        cases = Cases(self.ward.library, self.ward.cases)
        open_task(cases, self.ward.library, self.stay.id, code, None, when, Cause(id="alert", at=when))
        self.ward.cases["p1"] = cases.of("p1")

    def _event(self, when: str, words: str) -> AnyEvent:  # noqa: PLR0911  (one line a word of the page)
        match words.split():
            case ["discharged", "to", nubc]:
                self.discharge = self.stay.discharge(when, None if nubc == "unknown" else nubc)
                return self.discharge
            case ["discharged", "home"]:
                return self._event(when, "discharged to 01")
            case ["found", "out:", "home"]:
                return self.stay.correct(when, disposition=Disposition(nubc="01"))
            case ["notice", ("delivered" | "acknowledged") as became]:
                assert self.discharge is not None
                told = stays.delivered if became == "delivered" else stays.acknowledged
                return told(self.discharge, when)
            case ["expected", "to", "leave", day, clock]:
                return self.stay.correct(when, expected_discharge_at=at(f"{day} {clock}"))
            case ["taught", "back", topic]:
                return stays.taught_back(when, topic)
            case ["measured", code]:
                return stays.measured(when, code)
            case ["referral", "requested", service]:
                fact = ReferralRequested(
                    referral_id=uuid4(), version=1, patient=PatientSummary(id="p1"), status="requested", service=service
                )
                return event_of(fact, "p1", at(when))
            case _:
                return self._of_notice(when, words) or self._plain(words)(when)

    def _of_notice(self, when: str, words: str) -> AnyEvent | None:
        """What is said of a notice of the discharge that must be acknowledged."""
        match words.split():
            case [("routine" | "urgent" | "stat") as priority, "notice", "to", organisation] if self.discharge:
                self.asked[organisation] = (Acknowledgement(priority), when)
                return stays.must_acknowledge(
                    self.discharge, when, priority=self.asked[organisation][0], organisation=organisation
                )
            case ["acknowledged", "by", organisation] if self.discharge:
                asked, since = self.asked[organisation]
                return stays.must_acknowledge(
                    self.discharge, when, NotificationAcknowledged, asked, organisation, since
                )
            case ["notice", "taken", "back"] if self.discharge:
                return stays.taking_back(self.stay.take_back_discharge(when), self.discharge)
            case _:
                return None

    def _plain(self, words: str) -> Callable[[str], AnyEvent]:
        return {
            "admitted": self.stay.admit,
            "arrived": self.stay.arrive,
            "discharge taken back": self.stay.take_back_discharge,
            "contact attempted": stays.attempt,
            "contact made": stays.contact,
            "visit attended": stays.attended,
            "medications reconciled": stays.reconciled,
            "home health came": stays.referral_attended,
            "handoff said back": stays.synthesis,
            "nurse report given": lambda when: stays.contact(when, with_whom="receiving-nurse"),
            "outpatient registration": lambda when: StayTold(encounter_class=EncounterClass.AMBULATORY).arrive(when),
            "summary available": lambda when: follow_up(
                DocumentAvailable,
                when,
                document=Identifier(authority="L", value="D"),
                document_type="DS",
                completion="AU",
            ),
            "telehealth booked": lambda when: follow_up(
                AppointmentBooked, when, appointment=APPOINTMENT, service="TELEHEALTH"
            ),
            "appointment booked": lambda when: follow_up(AppointmentBooked, when, appointment=APPOINTMENT),
            "appointment cancelled": lambda when: follow_up(AppointmentCancelled, when, appointment=APPOINTMENT),
        }[words]

    def ring(self, now: datetime) -> None:
        """Tells every level that is due by then, in order of time, and ends what has passed."""
        while due := self._due(now):
            timer = due[0]
            self.fired.add(timer)
            case = self.ward.cases["p1"]
            self.ward.cases["p1"] = self._lapse(case, timer) if timer.level == LAPSE else self._fire(case, timer)

    def _due(self, now: datetime) -> list[Timer]:
        known = [t for o in self.ward.of(self.stay).tasks for t in timers(o, CHICAGO.time_zone)]
        return sorted((t for t in known if t.due_at <= now and t not in self.fired), key=lambda t: (t.due_at, t.level))

    def _lapse(self, case: PatientCase, timer: Timer) -> PatientCase:
        return settle(lapsed(case, {timer.task_id}), self.ward.library)

    def _fire(self, case: PatientCase, timer: Timer) -> PatientCase:
        followed = case.followed[self.stay.id]
        tasks = [
            fire(followed.transition, o, timer, is_uncertain=False)[0] if o.task.id == timer.task_id else o
            for o in followed.tasks
        ]
        return replace(case, followed={**case.followed, self.stay.id: replace(followed, tasks=tuple(tasks))})

    def check(self, claim: str) -> None:
        subject, _, said = claim.partition(" ")
        if subject == "transition":
            assert self.ward.of(self.stay).transition.status == said, claim
            return
        if claim == "nothing is asked":
            assert not any(o.is_live for o in self.ward.of(self.stay).tasks), claim
            return
        obligation = self.ward.task(self.stay, subject)
        assert said in self._standing(obligation.task.due_at) | _words(obligation), f"{claim}: {_words(obligation)}"

    def _standing(self, due_at: datetime | None) -> set[str]:
        if due_at is None:
            return set()
        local = due_at.astimezone(zone_of(CHICAGO.time_zone))
        is_days_end = due_at == end_of_day(local.date(), CHICAGO.time_zone)
        return {f"due {local:%Y-%m-%d}" if is_days_end else f"due {local:%Y-%m-%d %H:%M}"}


def _words(obligation: Obligation) -> set[str]:
    task = obligation.task
    told = {f"told {obligation.rule.ladder[n - 1].role}" for n in range(1, task.escalation_level + 1)}
    overdue = {"overdue"} if obligation.fired else set()
    return {str(word) for word in (task.status, task.outcome, task.closure, obligation.why) if word} | told | overdue

"""All stays of all feeds as one stream of messages in time, the same for the same seed and start."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

from deploy.simulator.hl7 import message
from deploy.simulator.people import Person, person
from deploy.simulator.places import Hospital, Roster, hospitals, roster
from deploy.simulator.settings import SimulatorSettings
from deploy.simulator.stay import Act, Kind, Story

EMERGENCY_MESSAGES = {False: 2.1, True: 5.1}  # of a stay, without and with updates
INPATIENT_MESSAGES = {False: 4.2, True: 17.2}
RETURNS = 0.12  # share of stays that are a known patient's return


@dataclass(frozen=True, slots=True)
class Planned:
    """A message and when it is due, in seconds after the start."""

    due: float
    feed: str
    trigger: str
    control_id: str
    visit: str
    mrn: str
    payload: bytes


@dataclass(slots=True)
class _Course:
    hospital: Hospital
    acts: Iterator[Act]
    person: Person
    act: Act
    admitted: datetime
    discharged: datetime | None = None


class Schedule:
    """Iterating gives Planned messages in the order in which they are due."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self.start = datetime.fromisoformat(settings.start) if settings.start else datetime.now(UTC)
        self._settings = settings
        self._random = Random(settings.seed)  # noqa: S311  (repeatable on purpose)
        self._kind = Kind(settings.emergency, settings.updates)
        self._hospitals: list[Hospital] = hospitals(settings.feeds)
        self._roster: Roster = roster(settings.roster)
        self._numbers = count(1)
        self._control = count(1)
        self._gone_home: list[tuple[Hospital, Person]] = []
        self._heap: list[tuple[float, int, _Course]] = []
        self._order = count()

    def __iter__(self) -> Iterator[Planned]:
        arrivals = self._arrivals()
        upcoming = next(arrivals, None)
        while upcoming is not None or self._heap:
            if upcoming is not None and (not self._heap or upcoming <= self._heap[0][0]):
                self._arrive(upcoming)
                upcoming = next(arrivals, None)
            due, _, course = heapq.heappop(self._heap)
            yield self._say(due, course)
            self._go_on(due, course)

    def _arrivals(self) -> Iterator[float]:
        """When stays begin: a Poisson stream that in the long run gives the wanted rate of messages."""
        at = 0.0
        numbers = range(self._settings.patients) if self._settings.patients else count()
        for _ in numbers:
            yield at
            at += self._random.expovariate(self._settings.rate / self._mean_messages())

    def _mean_messages(self) -> float:
        emergency, has_updates = self._kind.emergency, self._kind.has_updates
        return emergency * EMERGENCY_MESSAGES[has_updates] + (1 - emergency) * INPATIENT_MESSAGES[has_updates]

    def _arrive(self, due: float) -> None:
        number = next(self._numbers)
        if self._gone_home and self._random.random() < RETURNS:
            hospital, who = self._gone_home.pop(self._random.randrange(len(self._gone_home)))
        else:
            hospital = self._random.choice(self._hospitals)
            who = person(self._random, self._serial(number), hospital.state, self.start.date())
        visit = f"V{self._serial(number)}"
        acts = Story(self._random, hospital, self._roster, who, visit, self._kind).acts()
        self._push(due, _Course(hospital, acts, who, next(acts), admitted=self._instant(due)))

    def _serial(self, number: int) -> int:
        """Numbers of another start or seed never meet these: both are part of them."""
        run = int(self.start.timestamp()) % 10_000_000 * 1_000 + self._settings.seed % 1_000
        return run * 100_000 + number

    def _push(self, due: float, course: _Course) -> None:
        heapq.heappush(self._heap, (due, next(self._order), course))

    def _say(self, due: float, course: _Course) -> Planned:
        act, at = course.act, self._instant(due)
        if act.admits:
            course.admitted = at
        course.discharged = at if act.discharges else None
        course.person = act.person
        control_id = f"S{self._settings.seed}-{int(self.start.timestamp())}-{next(self._control):06d}"
        payload = message(
            act, course.hospital, at=at, admitted=course.admitted, discharged=course.discharged, control_id=control_id
        )
        return Planned(due, course.hospital.feed, act.trigger, control_id, act.visit.number, act.person.mrn, payload)

    def _go_on(self, due: float, course: _Course) -> None:
        following = next(course.acts, None)
        if following is not None:
            course.act = following
            self._push(due + following.after * self._settings.stay_seconds, course)
        elif not course.person.deceased:
            self._gone_home.append((course.hospital, course.person))
            del self._gone_home[:-500]

    def _instant(self, due: float) -> datetime:
        return self.start + timedelta(seconds=due)

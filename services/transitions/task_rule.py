"""What a protocol may say of one task: when it is due, what shows it done, who is told when it is late."""

from collections.abc import Mapping
from datetime import time, timedelta
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.transitions.evidence_details import DETAILS
from shared.events import BY_TYPE
from shared.events.notifications import Acknowledgement


class Anchor(StrEnum):
    """What a time is counted from. `expected-discharge` is the announced one, else the discharge itself; `request`:
    the task is opened for something that happened, not for a stay.
    """

    ADMISSION = "admission"
    EXPECTED_DISCHARGE = "expected-discharge"
    DISCHARGE = "discharge"
    REQUEST = "request"


def acknowledgement_code(priority: str) -> str:
    """The task that is opened for a notice that must be acknowledged so soon."""
    return f"acknowledgement-{priority}"


ACKNOWLEDGEMENTS = frozenset(acknowledgement_code(priority.value) for priority in Acknowledgement)


class CancelOn(StrEnum):
    DEATH = "death"
    ADMITTED_AGAIN = "admitted-again"


class Part(BaseModel):
    """A piece of a protocol's file: what it does not know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DueRule(Part):
    """When a task is due: exactly one of the units, counted from the anchor.

    Days end with the local day of the facility; minutes run as they are. `inclusive` counts the anchor's own day as
    the first (a stricter reading of the 7 and 14 days). `state_holidays` leaves out the state's holidays too,
    `facility_calendar` the days on which the facility's own calendar is closed. Negative calendar days lie before an
    expected discharge; where none was announced, that is the day of the discharge.
    """

    anchor: Anchor = Anchor.DISCHARGE
    business_days: int | None = Field(default=None, ge=1, le=60)
    calendar_days: int | None = Field(default=None, ge=-30, le=400)
    minutes: int | None = Field(default=None, ge=0, le=14_400)
    inclusive: bool = False
    state_holidays: bool = False
    facility_calendar: bool = False

    @model_validator(mode="after")
    def _one_unit(self) -> Self:
        if sum(unit is not None for unit in (self.business_days, self.calendar_days, self.minutes)) != 1:
            raise ValueError("give exactly one of business_days, calendar_days and minutes")
        if self.inclusive and (self.calendar_days is None or self.calendar_days < 1):
            raise ValueError("inclusive counts calendar days, one at least")
        if (self.calendar_days or 0) < 0 and self.anchor is not Anchor.EXPECTED_DISCHARGE:
            raise ValueError("days before the anchor can be counted only from an expected discharge")
        if (self.state_holidays or self.facility_calendar) and self.business_days is None:
            raise ValueError("state_holidays and facility_calendar belong to business_days")
        return self


class EvidenceRule(Part):
    """An event that shows the task is done. `of`: it is a notice, and what it told must have been this event.

    `not_before_day` is the first local day that counts, as days after the anchor's day (0: from the anchor on).
    `whole_day` counts from the beginning of the anchor's day, since measures count days: what was done in the morning
    of a discharge in the afternoon is done on the day of the discharge.
    `since` counts from another anchor than the task's: what was booked during the stay is booked at its end.
    `where` narrows by what the event says; each detail must be one of the words given.
    """

    event: str
    of: str | None = None
    not_before_day: int = Field(default=0, ge=0)
    whole_day: bool = False
    since: Anchor | None = None
    where: Mapping[str, frozenset[str]] = {}

    @model_validator(mode="after")
    def _known_events(self) -> Self:
        unknown = [name for name in (self.event, self.of) if name is not None and name not in BY_TYPE]
        if unknown:
            raise ValueError(f"no such event: {', '.join(unknown)}")
        strange = sorted(set(self.where) - DETAILS)
        if strange:
            raise ValueError(f"no such detail: {', '.join(strange)}; known are {', '.join(sorted(DETAILS))}")
        return self

    def says(self, details: Mapping[str, str]) -> bool:
        """Whether the event's details are among those asked for."""
        return all(details.get(name) in words for name, words in self.where.items())


class Step(Part):
    """One level of the ladder: so long after the task was due, this role is told; `urgent`, in quiet hours too."""

    after: timedelta = Field(ge=timedelta(0), le=timedelta(days=366))
    role: str
    urgent: bool = False


class QuietHours(Part):
    """Local times between which no level of a ladder is told; over midnight where `until` is the earlier one."""

    begin: time
    until: time

    @model_validator(mode="after")
    def _two_times(self) -> Self:
        if self.begin == self.until:
            raise ValueError("quiet hours begin and end at different times")
        return self


class TaskRule(Part):
    """One obligation.

    - `no_later_than` names a task whose evidence, when it comes first, pulls this one's due time to that day's end.
    - `attempts_suffice`: so many separate failed contacts, documented in time, count as kept.
    - `last_day`: the last local day, counted from the anchor's, on which a deed still counts; afterwards the obligation
      ends as late. None: it is owed until it is done.
    - `late_grace`: an anchor that was heard of late is given so long before the task is told overdue.
    - `patience`: how long the ladder rests after a person acknowledged it.
    - `after`: tasks of the transition that must be done before a person may complete this one.
    - `attested`: no event can show it; a person says so.
    - `measures`: the quality measures to which the obligation counts.
    """

    code: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str
    owner_role: str
    due: DueRule
    source: str
    evidence: tuple[EvidenceRule, ...] = ()
    ladder: tuple[Step, ...] = ()
    cancel_on: frozenset[CancelOn] = frozenset(CancelOn)
    no_later_than: str | None = None
    attempts_suffice: int | None = Field(default=None, ge=2)
    last_day: int | None = Field(default=None, ge=0, le=400)
    late_grace: timedelta = Field(default=timedelta(hours=4), ge=timedelta(0), le=timedelta(days=7))
    patience: timedelta = Field(default=timedelta(days=1), gt=timedelta(0), le=timedelta(days=14))
    quiet: QuietHours | None = None
    after: tuple[str, ...] = ()
    attested: bool = False
    measures: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        waits = [step.after for step in self.ladder]
        if waits != sorted(waits):
            raise ValueError("the ladder's steps must be in order of time")
        if self.last_day is not None and self.last_day < (self.due.calendar_days or 0):
            raise ValueError("last_day may not lie before the day it is due")
        return self

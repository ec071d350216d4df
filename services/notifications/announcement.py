"""A notice in the making: what an event has to say to people outside, of whom it speaks, what it takes back. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.notifications.directory import panel_key
from shared.events import AnyEvent
from shared.events.people import PatientSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Everyone an event names, as (basis, key) pairs for each kind of key, strongest basis first.

    `organisations` are named by their slug. `facility`: who listens to all of it is told too (`*`: who listens to any).
    """

    npis: tuple[tuple[str, str], ...] = ()
    codes: tuple[tuple[str, str], ...] = ()
    organisations: tuple[tuple[str, str], ...] = ()
    panels: tuple[str, ...] = ()
    facility: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A notice in the making.

    `announces`: new recipients may be told. `retracts` and `amends` name earlier events: whoever was told of them is
    told of this one, whatever the roster says now. `corrects_discharge`: as `amends`, of the stay's last discharge.
    `admits_anew`: an A06, which is also said as an admission unless the stay had one (observation to inpatient).
    `thread` is what it speaks of beside the stay (a referral, a plan, an appointment); `takes_back` names the types of
    events of that thread that hold no longer. `by_choice`: only for endpoints that name its type.
    `recorded_at` is when we heard of it; `late` where that is so long after `occurred_at` that it is no fresh alert.
    """

    event_id: UUID
    event_type: str
    patient_id: str
    occurred_at: datetime
    recorded_at: datetime
    correlation_id: str
    traceparent: str | None = None
    encounter_id: UUID | None = None
    transition_id: UUID | None = None
    parties: Parties = Parties()
    announces: bool = True
    thread: UUID | None = None
    takes_back: frozenset[str] = frozenset()
    by_choice: bool = False
    retracts: tuple[UUID, ...] = ()
    amends: UUID | None = None
    corrects_discharge: bool = False
    moved: bool = False
    admits_anew: bool = False
    historical: bool = False
    late: bool = False
    after_death: bool = False
    encounter: dict[str, Any] | None = None
    task: dict[str, Any] | None = None
    details: dict[str, Any] | None = None

    @property
    def concerns_told(self) -> bool:
        return bool(self.retracts or self.amends or self.corrects_discharge or self.takes_back)


def about(event: AnyEvent, *, historical: bool = False, **more: Any) -> Announcement:
    """What every notice takes from its event, and what is said `more` of it."""
    return Announcement(
        event_id=event.id,
        event_type=event.type,
        patient_id=event.subject,
        occurred_at=event.time,
        recorded_at=event.recorded,
        correlation_id=event.correlation_id,
        traceparent=event.traceparent,
        historical=event.historical or historical,
        **more,
    )


def panel_keys(patient: PatientSummary) -> tuple[str, ...]:
    return tuple(panel_key(one.authority, one.value) for one in patient.identifiers)

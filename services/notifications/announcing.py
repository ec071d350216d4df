"""What an event has to say to people outside: whether it is a notice, of whom it speaks, what it takes back. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.notifications.directory import panel_key
from services.notifications.showing import TREATING, basics_shown, stay_shown, task_shown
from shared.events import AnyEvent
from shared.events.encounters import (
    Admitted,
    Arrived,
    ClassChanged,
    Discharged,
    Encounter,
    EncounterFact,
    EncounterMoved,
    EncounterUpdated,
    Transferred,
)
from shared.events.people import EncounterClass, EncounterStatus, PatientSummary
from shared.events.transitions import TaskEscalated, TaskFact, TaskOverdue, Transition

QUIET_CLASSES = {EncounterClass.AMBULATORY, EncounterClass.PREADMISSION}
UNDONE = {EncounterStatus.CANCELLED, EncounterStatus.ENTERED_IN_ERROR}
# What a correction must touch to be worth a second notice (an address or a bed is not).
MATERIAL = {"diagnoses", "disposition", "discharged_at"}
# How long after its happening an event that is only now recorded is still told as news (domain 1.6, default 24 h).
LATE_AFTER = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """Everyone an event names, as (basis, key) pairs for each kind of key, strongest basis first."""

    npis: tuple[tuple[str, str], ...] = ()
    codes: tuple[tuple[str, str], ...] = ()
    panels: tuple[str, ...] = ()
    facility: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A notice in the making.

    `announces`: new recipients may be told. `retracts` and `amends` name earlier events: whoever was told of them is
    told of this one, whatever the roster says now. `corrects_discharge`: as `amends`, of the stay's last discharge.
    `admits_anew`: an A06, which is also said as an admission unless the stay had one (observation to inpatient).
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

    @property
    def concerns_told(self) -> bool:
        return bool(self.retracts or self.amends or self.corrects_discharge)


def announcement_of(event: AnyEvent, late_after: timedelta = LATE_AFTER) -> Announcement | None:
    """The notice an event is, or None when nobody outside has to know (a bed move, a change of address).

    What happened more than `late_after` before it was recorded is told as late, never as a fresh alert.
    """
    said = None if event.snapshot else _said(event)
    if said is None or event.recorded - event.time <= late_after:
        return said
    return replace(said, late=True)


def _said(event: AnyEvent) -> Announcement | None:
    fact = event.fact
    if isinstance(fact, EncounterFact):
        return _of_encounter(event, fact)
    if isinstance(fact, TaskOverdue | TaskEscalated):
        return _of_task(event, fact)
    return None


def _of_encounter(event: AnyEvent, fact: EncounterFact) -> Announcement | None:
    stay = fact.encounter
    announces = _announces(fact)
    corrects = _corrects_discharge(fact)
    if not (announces or fact.retracts or fact.amends or corrects):
        return None
    return Announcement(
        event_id=event.id,
        event_type=event.type,
        patient_id=event.subject,
        occurred_at=event.time,
        recorded_at=event.recorded,
        correlation_id=event.correlation_id,
        traceparent=event.traceparent,
        encounter_id=stay.id,
        parties=_parties_of_stay(stay),
        announces=announces,
        retracts=fact.retracts,
        amends=fact.amends,
        corrects_discharge=corrects,
        moved=isinstance(fact, EncounterMoved),
        admits_anew=isinstance(fact, ClassChanged) and not event.derived,
        historical=event.historical,
        encounter=stay_shown(stay),
    )


def _announces(fact: EncounterFact) -> bool:
    stay = fact.encounter
    if stay.encounter_class in QUIET_CLASSES:
        return False
    match fact:
        case Arrived():
            return stay.encounter_class is EncounterClass.EMERGENCY
        case Admitted() | Discharged():
            return True
        case ClassChanged():
            return stay.encounter_class is EncounterClass.INPATIENT
        case Transferred():
            return _between_facilities(stay)
        case _:
            return isinstance(fact, EncounterMoved) and stay.status not in UNDONE


def _between_facilities(stay: Encounter) -> bool:
    before = stay.prior_location.facility if stay.prior_location else None
    after = stay.location.facility if stay.location else None
    return bool(before and after and before != after)


def _corrects_discharge(fact: EncounterFact) -> bool:
    """A material change of a finished stay that names no event of its own."""
    if not isinstance(fact, EncounterUpdated) or fact.amends or fact.encounter.status is not EncounterStatus.FINISHED:
        return False
    return not MATERIAL.isdisjoint(fact.changed)


def _of_task(event: AnyEvent, fact: TaskFact) -> Announcement:
    stay = fact.transition
    return Announcement(
        event_id=event.id,
        event_type=event.type,
        patient_id=event.subject,
        occurred_at=event.time,
        recorded_at=event.recorded,
        correlation_id=event.correlation_id,
        traceparent=event.traceparent,
        encounter_id=stay.encounter_id,
        transition_id=stay.id,
        parties=_parties_of_task(stay),
        historical=event.historical or stay.historical,
        after_death=stay.patient.deceased,
        encounter={"id": str(stay.encounter_id), **basics_shown(stay.patient, stay)},
        task=task_shown(fact),
    )


def _parties_of_stay(stay: Encounter) -> Parties:
    treating = [
        (TREATING[who.role], who.practitioner.npi)
        for who in stay.participants
        if who.role in TREATING and who.practitioner.npi
    ]
    primary = [("pcp", stay.pcp.npi)] if stay.pcp and stay.pcp.npi else []
    codes = [("receiving-facility", stay.discharged_to)] if stay.discharged_to else []
    codes += [("pcp", stay.pcp_organisation)] if stay.pcp_organisation else []
    return Parties(
        npis=(*treating, *primary),
        codes=tuple(codes),
        panels=_panel_keys(stay.patient),
        facility=stay.facility.code,
    )


def _parties_of_task(stay: Transition) -> Parties:
    """Tasks go to the inbox of the care team: the primary care organisation, and whoever has the patient on a panel."""
    return Parties(
        npis=(("care-team", stay.pcp.npi),) if stay.pcp and stay.pcp.npi else (),
        codes=(("care-team", stay.pcp_organisation),) if stay.pcp_organisation else (),
        panels=_panel_keys(stay.patient),
    )


def _panel_keys(patient: PatientSummary) -> tuple[str, ...]:
    return tuple(panel_key(one.authority, one.value) for one in patient.identifiers)

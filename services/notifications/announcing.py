"""Which events are notices, and of stays and tasks what they say. Pure."""

from dataclasses import replace
from datetime import timedelta

from services.notifications.announcement import Announcement, Parties, about, panel_keys
from services.notifications.coordination import coordination_of
from services.notifications.showing import TREATING, basics_shown, stay_shown, task_shown
from shared.events import AnyEvent, Fact
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
from shared.events.people import EncounterClass, EncounterStatus
from shared.events.transitions import Task, TaskEscalated, TaskFact, TaskOverdue, Transition

STAYS: tuple[type[Fact], ...] = (Arrived, Admitted, ClassChanged, Transferred, Discharged, EncounterMoved)
"""What is announced of stays."""
QUIET_CLASSES = {EncounterClass.AMBULATORY, EncounterClass.PREADMISSION}
UNDONE = {EncounterStatus.CANCELLED, EncounterStatus.ENTERED_IN_ERROR}
# What a correction must touch to be worth a second notice (an address or a bed is not).
MATERIAL = {"diagnoses", "disposition", "discharged_at"}
# How long after its happening an event that is only now recorded is still told as news (domain 1.6, default 24 h).
LATE_AFTER = timedelta(hours=24)


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
    return coordination_of(event)


def _of_encounter(event: AnyEvent, fact: EncounterFact) -> Announcement | None:
    stay = fact.encounter
    announces = _announces(fact)
    corrects = _corrects_discharge(fact)
    if not (announces or fact.retracts or fact.amends or corrects):
        return None
    return about(
        event,
        encounter_id=stay.id,
        parties=_parties_of_stay(stay),
        announces=announces,
        retracts=fact.retracts,
        amends=fact.amends,
        corrects_discharge=corrects,
        moved=isinstance(fact, EncounterMoved),
        admits_anew=isinstance(fact, ClassChanged) and not event.derived,
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
    return about(
        event,
        encounter_id=stay.encounter_id,
        transition_id=stay.id,
        parties=_parties_of_task(stay, fact.task),
        historical=stay.historical,
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
        panels=panel_keys(stay.patient),
        facility=stay.facility.code,
    )


def _parties_of_task(stay: Transition, task: Task) -> Parties:
    """Tasks go to the inbox of the care team: the primary care organisation, and whoever has the patient on a panel.
    One that waits for what a single organisation must do is that organisation's alone.
    """
    if task.asked_of is not None:
        return Parties(organisations=(("awaited", task.asked_of),))
    return Parties(
        npis=(("care-team", stay.pcp.npi),) if stay.pcp and stay.pcp.npi else (),
        codes=(("care-team", stay.pcp_organisation),) if stay.pcp_organisation else (),
        panels=panel_keys(stay.patient),
    )

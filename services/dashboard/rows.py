"""What a batch of events changes in the read tables, folded to one row each: pure, no SQL.

A row is a dict of columns. Within a batch the highest version wins; against the table the store compares again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import Any
from uuid import UUID

from services.dashboard.summaries import UNMAPPED, is_unmapped, summary_of
from shared.events import AnyEvent, Fact
from shared.events.encounters import EncounterFact, PatientFact, PatientMerged
from shared.events.envelope import FLAGS
from shared.events.followups import ObservationRecorded
from shared.events.monitoring import AlertFact
from shared.events.notifications import NotificationFact, NotificationsPatientMerged
from shared.events.operations import FeedCounted, SignalCleared, SignalFact
from shared.events.people import Disposition, Location, PatientSummary
from shared.events.plans import PlanFact, PlansPatientMerged
from shared.events.referrals import ReferralFact
from shared.events.transitions import (
    ReadmissionDetected,
    ReadmissionWithdrawn,
    RiskScored,
    Task,
    TaskFact,
    Transition,
    TransitionFact,
    TransitionSnapshot,
    TransitionsPatientMerged,
)

Row = dict[str, Any]
NOWHERE = Location()
# Pages whose contents another service tells: that something changed is all that is known of it here.
ELSEWHERE: Mapping[type[Fact], str] = {
    ReferralFact: "referrals",
    AlertFact: "monitoring",
    ObservationRecorded: "monitoring",
}
# In place of the days after which a patient came back, where that was told and does not hold.
NO_READMISSION = 0


@dataclass
class Changes:
    """The rows of one batch, by table. `survivors` says which patient stands for which (merges)."""

    survivors: Mapping[str, str]
    events: list[Row] = field(default_factory=list)
    people: dict[str, Row] = field(default_factory=dict)
    named_elsewhere: dict[str, Row] = field(default_factory=dict)
    stays: dict[UUID, Row] = field(default_factory=dict)
    transitions: dict[UUID, Row] = field(default_factory=dict)
    tasks: dict[UUID, Row] = field(default_factory=dict)
    plans: dict[UUID, Row] = field(default_factory=dict)
    deliveries: dict[UUID, Row] = field(default_factory=dict)
    minutes: dict[tuple[str, str], Row] = field(default_factory=dict)
    signals: dict[UUID, Row] = field(default_factory=dict)
    merges: dict[str, str] = field(default_factory=dict)
    touched: Counter[str] = field(default_factory=Counter)
    """How many rows changed per page that may be open: `board`, `deliveries`, `feeds`, `signals`, `stay:<id>`,
    `notices:<organisation>`, and of those in ELSEWHERE.
    """

    def add(self, event: AnyEvent) -> None:
        if not event.snapshot:
            self.events.append(event_row(event))
        self._take(event.fact, event)

    @singledispatchmethod
    def _take(self, fact: Fact, event: AnyEvent) -> None:
        """Facts without a table of their own stand in the event log alone; a patient's page still hears of them."""
        patient = getattr(fact, "patient", None)
        if isinstance(patient, PatientSummary):
            self._name(patient, event, self.named_elsewhere)
        encounter_id = getattr(fact, "encounter_id", None)
        if encounter_id is not None:
            self.touched[f"stay:{encounter_id}"] += 1
        for kind, page in ELSEWHERE.items():
            if isinstance(fact, kind):
                self.touched[page] += 1

    @_take.register
    def _(self, fact: EncounterFact, event: AnyEvent) -> None:
        self._name(fact.encounter.patient, event, self.people)
        self._keep(self.stays, fact.encounter.id, stay_row(fact) | {"patient_id": self._who(fact.encounter.patient.id)})
        self.touched[f"stay:{fact.encounter.id}"] += 1
        self.touched["stays"] += 1

    @_take.register
    def _(self, fact: PatientFact, event: AnyEvent) -> None:
        self._name(fact.patient, event, self.people)
        if isinstance(fact, PatientMerged):
            self.merges[fact.retired] = fact.survivor

    @_take.register(TransitionsPatientMerged)
    @_take.register(PlansPatientMerged)
    @_take.register(NotificationsPatientMerged)
    def _(
        self, fact: TransitionsPatientMerged | PlansPatientMerged | NotificationsPatientMerged, _event: AnyEvent
    ) -> None:
        self.merges[fact.retired] = fact.survivor

    @_take.register
    def _(self, fact: TransitionFact, event: AnyEvent) -> None:
        row = self._transition(fact.transition, event)
        row["reason"] = fact.reason or row["reason"]
        if isinstance(fact, ReadmissionDetected):
            row["readmission_days"] = fact.days
        if isinstance(fact, ReadmissionWithdrawn):
            row["readmission_days"] = NO_READMISSION
        if isinstance(fact, RiskScored):
            row["scores"] = [score.model_dump(mode="json") for score in fact.scores]
        if isinstance(fact, TransitionSnapshot):
            for task in fact.tasks:
                self._task(task, fact.transition.id, event, None)

    @_take.register
    def _(self, fact: TaskFact, event: AnyEvent) -> None:
        self._transition(fact.transition, event)
        self._task(fact.task, fact.transition.id, event, fact.reason)

    @_take.register
    def _(self, fact: PlanFact, event: AnyEvent) -> None:
        plan = fact.plan
        self._name(plan.patient, event, self.named_elsewhere)
        row: Row = {
            "id": plan.id,
            "version": plan.version,
            "patient_id": self._who(plan.patient.id),
            "transition_id": plan.transition_id,
            "encounter_id": plan.encounter_id,
            "status": plan.status,
            "template": f"{plan.template}@{plan.template_version}",
            "content": plan.model_dump(mode="json", include={"needs", "addresses", "goals", "activities", "team"}),
        }
        self._keep(self.plans, plan.id, row)
        self.touched[f"stay:{plan.encounter_id}"] += 1

    @_take.register
    def _(self, fact: NotificationFact, event: AnyEvent) -> None:
        sent = fact.delivery
        row = sent.model_dump() | {"reason": fact.reason, "told_by": event.id}
        self._keep(self.deliveries, sent.id, row | {"patient_id": self._who(sent.patient_id)})
        self.touched["deliveries"] += 1
        self.touched[f"notices:{sent.organisation}"] += 1
        if sent.encounter_id is not None:
            self.touched[f"stay:{sent.encounter_id}"] += 1

    @_take.register
    def _(self, fact: FeedCounted, _event: AnyEvent) -> None:
        self.minutes[fact.feed, fact.minute.isoformat()] = fact.model_dump()
        self.touched["feeds"] += 1

    @_take.register
    def _(self, fact: SignalFact, event: AnyEvent) -> None:
        cleared = event.time if isinstance(fact, SignalCleared) else None
        row = fact.model_dump(exclude={"signal_id"}) | {"id": fact.signal_id, "cleared_at": cleared}
        self.signals[fact.signal_id] = row | {"told_at": event.recorded}
        self.touched["signals"] += 1

    def _transition(self, transition: Transition, event: AnyEvent) -> Row:
        self._name(transition.patient, event, self.named_elsewhere)
        row = transition_row(transition) | {"patient_id": self._who(transition.patient.id), "status_at": event.time}
        before = self.transitions.get(transition.id)
        row |= {"scores": before["scores"]} if before is not None else {}
        if before is not None and before["status"] == row["status"]:
            row |= {"status_at": before["status_at"], "reason": before["reason"]}
            row["readmission_days"] = before["readmission_days"]
        self._keep(self.transitions, transition.id, row)
        self.touched["board"] += 1
        self.touched[f"stay:{transition.encounter_id}"] += 1
        return row

    def _task(self, task: Task, transition_id: UUID, event: AnyEvent, reason: str | None) -> None:
        row: Row = task.model_dump(exclude={"protocol"}) | {
            "transition_id": transition_id,
            "protocol": f"{task.protocol.name}@{task.protocol.version}",
            "reason": reason,
            "told_by": event.id,
        }
        self._keep(self.tasks, task.id, row)

    def _name(self, patient: PatientSummary, event: AnyEvent, table: dict[str, Row]) -> None:
        patient_id = self._who(patient.id)
        before = table.get(patient_id)
        if before is None or before["told_at"] <= event.recorded:
            table[patient_id] = person_row(patient) | {"patient_id": patient_id, "told_at": event.recorded}

    def _who(self, patient_id: str) -> str:
        return self.survivors.get(patient_id, patient_id)

    @staticmethod
    def _keep(table: dict[UUID, Row], key: UUID, row: Row) -> None:
        before = table.get(key)
        if before is None or before["version"] <= row["version"]:
            table[key] = row


def fold(events: Iterable[AnyEvent], survivors: Mapping[str, str]) -> Changes:
    """What these events, in this order, change."""
    changes = Changes(survivors)
    for event in events:
        changes.add(event)
    return changes


def event_row(event: AnyEvent) -> Row:
    return {
        "event_id": event.id,
        "type": event.type,
        "topic": event.topic,
        "source": event.source,
        "subject": event.subject,
        "correlation": event.correlation_id,
        "causation": event.causation_id,
        "version": event.version,
        "sequence": event.sequence,
        "flags": [flag for flag in FLAGS if getattr(event, flag)],
        "occurred": event.time,
        "recorded": event.recorded,
        "summary": summary_of(event.fact),
    }


def person_row(patient: PatientSummary) -> Row:
    return {
        "name": patient.name.display,
        "birth_date": patient.birth_date,
        "sex": patient.sex,
        "language": patient.language,
        "phone": next(iter(patient.phones), None),
        "deceased": patient.deceased,
    }


def stay_row(fact: EncounterFact) -> Row:
    stay = fact.encounter
    where = stay.location or NOWHERE
    return {
        "encounter_id": stay.id,
        "version": stay.version,
        "feed": stay.feed,
        "visit": stay.visit.value,
        "facility": stay.facility.code,
        "facility_name": stay.facility.name,
        "time_zone": stay.facility.time_zone,
        "encounter_class": stay.encounter_class,
        "status": stay.status,
        "ward": where.point_of_care,
        "room": where.room,
        "bed": where.bed,
        "service": stay.hospital_service,
        "admitted_at": stay.admitted_at,
        "discharged_at": stay.discharged_at,
        "expected_discharge_at": stay.expected_discharge_at,
    }


def transition_row(transition: Transition) -> Row:
    return {
        "id": transition.id,
        "version": transition.version,
        "encounter_id": transition.encounter_id,
        "visit": transition.visit.value,
        "facility": transition.facility.code,
        "facility_name": transition.facility.name,
        "time_zone": transition.facility.time_zone,
        "pcp_organisation": transition.pcp_organisation,
        "encounter_class": transition.encounter_class,
        "status": transition.status,
        "admitted_at": transition.admitted_at,
        "discharged_at": transition.discharged_at,
        "disposition": disposition_words(transition.disposition),
        "diagnoses": [f"{each.code} {each.text or ''}".strip() for each in transition.diagnoses],
        "protocols": [f"{each.name}@{each.version}" for each in transition.protocols],
        "reason": None,
        "readmission_days": None,
        "risk": transition.risk.model_dump() if transition.risk else None,
        "risk_priority": transition.risk.priority if transition.risk else None,
        "scores": None,
        "historical": transition.historical,
    }


def disposition_words(disposition: Disposition | None) -> str | None:
    """Where the patient went: the FHIR code, with the NUBC code that the hospital bills by."""
    if disposition is None:
        return None
    if is_unmapped(disposition):
        return UNMAPPED
    return f"{disposition.fhir} ({disposition.nubc})" if disposition.nubc else disposition.fhir

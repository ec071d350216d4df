"""Evidence: what happened that shows a task done. Kept per patient, whatever came first, the deed or the discharge."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.transitions.protocols import EvidenceRule, TaskRule
from shared.calendar import local_date
from shared.events import AnyEvent
from shared.events.followups import AppointmentAttended, ContactAttempted, FollowUpFact
from shared.events.notifications import NotificationAcknowledged, NotificationDelivered
from shared.events.plans import PlanFact
from shared.events.referrals import ReferralFact
from shared.events.transitions import Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One deed. `of_event` is the event a notice told; `transition_id` and `encounter_id` only where the source
    names them: else it counts for whichever of the patient's transitions it fits.
    """

    event_id: UUID
    type: str
    patient_id: str
    at: datetime
    of_event: UUID | None = None
    transition_id: UUID | None = None
    encounter_id: UUID | None = None

    @property
    def order(self) -> tuple[datetime, UUID]:
        return (self.at, self.event_id)


def evidence_in(event: AnyEvent, patient_id: str) -> Evidence | None:
    """What the event shows, or None when it shows nothing that a task could wait for."""
    match event.fact:
        case NotificationDelivered(delivery=told) | NotificationAcknowledged(delivery=told):
            return Evidence(
                event_id=event.id,
                type=event.type,
                patient_id=patient_id,
                at=told.at,
                of_event=told.event_id,
                transition_id=told.transition_id,
                encounter_id=told.encounter_id,
            )
        case FollowUpFact() as done:
            return Evidence(
                event_id=event.id,
                type=event.type,
                patient_id=patient_id,
                at=done.starts_at or event.time if isinstance(done, AppointmentAttended) else event.time,
                transition_id=done.transition_id,
                encounter_id=done.encounter_id,
            )
        case ReferralFact(encounter_id=encounter_id):
            return Evidence(
                event_id=event.id, type=event.type, patient_id=patient_id, at=event.time, encounter_id=encounter_id
            )
        case PlanFact(plan=plan):
            return Evidence(
                event_id=event.id,
                type=event.type,
                patient_id=patient_id,
                at=event.time,
                transition_id=plan.transition_id,
            )
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Window:
    """Where evidence may count: the transition, what anchors the task, and which event announced the anchor."""

    transition: Transition
    anchored_at: datetime
    announced_by: UUID | None

    def holds(self, evidence: Evidence, rule: EvidenceRule) -> bool:
        """Whether this deed is what the rule asks for, here and since the anchor. Late deeds count: late is done."""
        if evidence.type != rule.event or not self.concerns(evidence):
            return False
        if rule.of is not None:
            return evidence.of_event is not None and evidence.of_event == self.announced_by
        if evidence.at < self.anchored_at:
            return False
        zone = self.transition.facility.time_zone
        first = local_date(self.anchored_at, zone) + timedelta(days=rule.not_before_day)
        return rule.not_before_day == 0 or local_date(evidence.at, zone) >= first

    def concerns(self, evidence: Evidence) -> bool:
        if evidence.transition_id is not None:
            return evidence.transition_id == self.transition.id
        return evidence.encounter_id is None or evidence.encounter_id == self.transition.encounter_id

    def first(self, known: Iterable[Evidence], rule: TaskRule) -> Evidence | None:
        """The earliest deed that shows the task done; the same one in whatever order they became known."""
        counting = [e for e in known if any(self.holds(e, asked) for asked in rule.evidence)]
        return min(counting, key=lambda e: e.order, default=None)

    def attempts(self, known: Iterable[Evidence], until: datetime) -> int:
        """Separate failed contacts, documented between the anchor and `until`."""
        tried = {
            e.at
            for e in known
            if e.type == ContactAttempted.TYPE and self.concerns(e) and self.anchored_at <= e.at <= until
        }
        return len(tried)

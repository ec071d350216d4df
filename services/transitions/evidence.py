"""Evidence: what happened that shows a task done. Kept per patient, whatever came first, the deed or the discharge."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.transitions.evidence_details import REPLACES, TAKEN_BACK_BY, WITHDRAWN, about_of, details_of
from services.transitions.task_rule import Anchor, EvidenceRule, TaskRule
from shared.calendar import end_of_day, local_date
from shared.events import AnyEvent
from shared.events.encounters import Arrived, EncounterFact
from shared.events.followups import (
    AppointmentAttended,
    AppointmentBooked,
    AppointmentMoved,
    ContactAttempted,
    FollowUpFact,
)
from shared.events.notifications import NotificationFact
from shared.events.plans import PlanFact
from shared.events.referrals import ReferralFact
from shared.events.transitions import Transition

_APPOINTMENTS = frozenset(fact.TYPE for fact in (AppointmentBooked, AppointmentMoved, AppointmentAttended))


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One deed. `at` is when it was done, `recorded` when it became known; `of_event` is the event a notice told;
    `transition_id` and `encounter_id` only where the source names them: else it counts for whichever of the patient's
    transitions it fits. `about` names what another event may take back.
    """

    event_id: UUID
    type: str
    patient_id: str
    at: datetime
    recorded: datetime | None = None
    of_event: UUID | None = None
    transition_id: UUID | None = None
    encounter_id: UUID | None = None
    about: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def bound_to(self) -> UUID | None:
        """The stay that it counts for alone. An appointment names the visit that it is or became: it binds to none."""
        return None if self.type in _APPOINTMENTS else self.encounter_id

    @property
    def order(self) -> tuple[datetime, UUID]:
        return (self.at, self.event_id)

    @property
    def said_order(self) -> tuple[datetime, UUID]:
        return (self.recorded or self.at, self.event_id)


def evidence_in(event: AnyEvent, patient_id: str) -> Evidence | None:
    """What the event shows, or None when it shows nothing that a task could wait for."""
    said: dict[str, Any] = {
        "event_id": event.id,
        "type": event.type,
        "patient_id": patient_id,
        "recorded": event.recorded,
        "about": about_of(event.fact),
        "details": details_of(event.fact),
    }
    match event.fact:
        case NotificationFact(delivery=told):
            named: dict[str, Any] = {"transition_id": told.transition_id, "encounter_id": told.encounter_id}
            return Evidence(**said, **named, at=told.at, of_event=told.event_id)
        case FollowUpFact() as done:
            at = done.starts_at or event.time if isinstance(done, AppointmentAttended) else event.time
            return Evidence(**said, at=at, transition_id=done.transition_id, encounter_id=done.encounter_id)
        case ReferralFact(encounter_id=encounter_id):
            return Evidence(**said, at=event.time, encounter_id=encounter_id)
        case PlanFact(plan=plan):
            return Evidence(**said, at=event.time, transition_id=plan.transition_id)
        case EncounterFact(encounter=encounter):
            # A visit shows what another stay asked for: it names no stay but its own.
            came = encounter.admitted_at if isinstance(event.fact, Arrived) else None
            return Evidence(**said, at=came or event.time)
        case _:
            return None


def standing(known: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """The deeds that were not taken back by something said later about the same thing, in order of time."""
    deeds = tuple(known)
    by_thing: dict[str, list[Evidence]] = {}
    for deed in deeds:
        if deed.about is not None:
            by_thing.setdefault(deed.about, []).append(deed)
    replaced_by = {deed.details[REPLACES]: deed for deed in deeds if REPLACES in deed.details}
    return tuple(deed for deed in deeds if not _is_gone(deed, replaced_by, by_thing))


def _is_gone(deed: Evidence, replaced_by: Mapping[str, Evidence], by_thing: Mapping[str, Iterable[Evidence]]) -> bool:
    """A document that was replaced shows what it showed for as long as the one in its place stands."""
    seen = {deed.about}
    while (newer := replaced_by.get(deed.about or "")) is not None and newer.about not in seen:
        seen.add(newer.about)
        deed = newer
    return is_taken_back(deed, by_thing.get(deed.about or "", ()))


def is_taken_back(deed: Evidence, about_the_same: Iterable[Evidence]) -> bool:
    if WITHDRAWN in deed.details:
        return True
    taking = TAKEN_BACK_BY.get(deed.type, frozenset())
    return any(
        later.said_order > deed.said_order and (later.type in taking or WITHDRAWN in later.details)
        for later in about_the_same
    )


@dataclass(frozen=True, slots=True)
class Window:
    """Where evidence may count: the transition, what anchors the task, and which event announced the anchor. `starts`
    are the instants from which evidence may count for rules that name an anchor of their own.
    """

    transition: Transition
    anchored_at: datetime
    announced_by: UUID | None
    starts: Mapping[Anchor, datetime] = field(default_factory=dict)

    def holds(self, evidence: Evidence, rule: EvidenceRule) -> bool:
        """Whether this deed is what the rule asks for, here and since the anchor. Late deeds count: late is done."""
        if evidence.type != rule.event or not self.concerns(evidence) or not rule.says(evidence.details):
            return False
        if rule.of is not None:
            return evidence.of_event is not None and evidence.of_event == self.announced_by
        start = self.starts.get(rule.since, self.anchored_at) if rule.since else self.anchored_at
        zone = self.transition.facility.time_zone
        first = local_date(start, zone) + timedelta(days=rule.not_before_day)
        if rule.whole_day or rule.not_before_day:
            return local_date(evidence.at, zone) >= first
        return evidence.at >= start

    def concerns(self, evidence: Evidence) -> bool:
        if evidence.transition_id is not None:
            return evidence.transition_id == self.transition.id
        return evidence.bound_to is None or evidence.bound_to == self.transition.encounter_id

    def first(self, known: Iterable[Evidence], rule: TaskRule) -> Evidence | None:
        """The earliest deed that shows the task done; the same one in whatever order they became known."""
        last = self.owed_until(rule.last_day)
        within = [e for e in known if last is None or e.at <= last]
        counting = [e for e in within if any(self.holds(e, asked) for asked in rule.evidence)]
        return min(counting, key=lambda e: e.order, default=None)

    def owed_until(self, last_day: int | None) -> datetime | None:
        """The end of the last local day on which a deed counts, so many days after the anchor's; None: no end."""
        if last_day is None:
            return None
        zone = self.transition.facility.time_zone
        return end_of_day(local_date(self.anchored_at, zone) + timedelta(days=last_day), zone)

    def attempts(self, known: Iterable[Evidence], until: datetime) -> int:
        """Separate failed contacts, documented between the anchor and `until`."""
        tried = {
            e.at
            for e in known
            if e.type == ContactAttempted.TYPE and self.concerns(e) and self.anchored_at <= e.at <= until
        }
        return len(tried)

"""What an event says, in a few words and without names: these words stand in the event log that everybody may read.

Free text that people typed (reasons, outcomes, notes) may name somebody and is left out.
"""

from datetime import datetime
from functools import singledispatch

from services.dashboard.clocks import zone
from services.dashboard.risk import score_title
from shared.events import Fact
from shared.events.encounters import (
    Encounter,
    EncounterFact,
    EncounterMoved,
    PatientMerged,
    PatientUnmerged,
    PatientUpdated,
)
from shared.events.followups import AppointmentFact, ContactFact, MedicationReconciled
from shared.events.notifications import NotificationFact
from shared.events.operations import FeedCounted, SignalFact
from shared.events.people import Disposition, Location
from shared.events.plans import PlanFact
from shared.events.referrals import ReferralFact
from shared.events.transitions import (
    ReadmissionDetected,
    RiskScore,
    RiskScored,
    TaskEscalated,
    TaskFact,
    TransitionFact,
)

LONGEST = 200
CLASSES = {
    "IMP": "inpatient",
    "EMER": "emergency",
    "AMB": "outpatient",
    "PRENC": "pre-admission",
    "OBSENC": "observation",
    "SS": "short stay",
    "OTHER": "other",
}

# The codes of FHIR's discharge-disposition.
DESTINATIONS = {
    "home": "to home",
    "alt-home": "to home with care",
    "other-hcf": "to another hospital",
    "hosp": "to hospice",
    "long": "to long-term care",
    "aadvice": "left against advice",
    "exp": "died",
    "psy": "to a psychiatric hospital",
    "rehab": "to rehabilitation",
    "snf": "to a skilled nursing facility",
    "oth": "to elsewhere",
}
UNMAPPED = "a place that no map knows (unmapped disposition code)"


def title_of(event_type: str) -> str:
    """`care.task.overdue.v1` → "Task overdue"."""
    words = event_type.removeprefix("care.").rsplit(".v", 1)[0].replace(".", " ").replace("-", " ")
    return words[:1].upper() + words[1:]


def place(location: Location | None) -> str:
    """Ward, room and bed in reading order; empty when nothing is known."""
    if location is None:
        return ""
    return " · ".join(part for part in (location.point_of_care, location.room, location.bed) if part)


def local_time(at: datetime | None, time_zone: str) -> str:
    """An instant as people at the facility say it: `Wed 4 Mar 17:00 CST`. Empty when there is none."""
    if at is None:
        return ""
    there = at.astimezone(zone(time_zone))
    return f"{there:%a} {there.day} {there:%b %H:%M %Z}"


def summary_of(fact: Fact) -> str:
    """At most 200 characters; empty when the type says it all."""
    return _words(fact)[:LONGEST]


@singledispatch
def _words(_fact: Fact) -> str:
    return ""


def _joined(*parts: str | None) -> str:
    return " · ".join(part for part in parts if part)


@_words.register
def _(fact: EncounterFact) -> str:
    stay = fact.encounter
    changed = ", ".join(fact.changed[:6])
    return _joined(
        CLASSES.get(stay.encounter_class, stay.encounter_class),
        stay.facility.name or stay.facility.code,
        _movement(stay),
        f"changed: {changed}" if changed else None,
        f"takes back {len(fact.retracts)} told event{'s' * (len(fact.retracts) > 1)}" if fact.retracts else None,
        "now another patient's" if isinstance(fact, EncounterMoved) else None,
    )


def _movement(stay: Encounter) -> str:
    here, before = place(stay.location), place(stay.prior_location)
    if stay.discharged_at is not None:
        return went_to(stay.disposition) if stay.disposition else "discharged"
    return f"{before} → {here}" if before and here and before != here else here


def is_unmapped(disposition: Disposition) -> bool:
    return disposition.nubc is None and disposition.fhir == "oth"


def went_to(disposition: Disposition) -> str:
    """Where a discharge led. The feed's own word is left out: free text may stand in its place."""
    if is_unmapped(disposition):
        return f"to {UNMAPPED}"
    return DESTINATIONS.get(disposition.fhir, f"to {disposition.fhir}")


@_words.register
def _(fact: PatientUpdated) -> str:
    return f"changed: {', '.join(fact.changed[:6])}" if fact.changed else ""


@_words.register
def _(fact: PatientUnmerged) -> str:
    stays = len(fact.encounters)
    return f"{fact.restored[:8]}… is no longer {fact.survivor[:8]}… · {stays} stay{'s' * (stays != 1)} moved"


@_words.register
def _(fact: PatientMerged) -> str:
    return f"{fact.retired[:8]}… is now {fact.survivor[:8]}…"


@_words.register
def _(fact: TransitionFact) -> str:
    return _joined(
        f"status {fact.transition.status}",
        ", ".join(f"{each.name}@{each.version}" for each in fact.transition.protocols),
        f"day {fact.days} after the discharge" if isinstance(fact, ReadmissionDetected) else None,
    )


@_words.register
def _(fact: RiskScored) -> str:
    return _joined(*(_score(each) for each in fact.scores))


def _score(score: RiskScore) -> str:
    points = f"{score.lowest}-{score.highest}" if score.missing else f"{score.points}"
    so_far = " so far" if score.provisional else ""
    return f"{score_title(score.name, score.version)} {score.version}: {points} {score.band}{so_far}"


@_words.register
def _(fact: TaskFact) -> str:
    task = fact.task
    due = local_time(task.due_at, fact.transition.facility.time_zone)
    return _joined(
        task.title,
        f"level {fact.level} → {fact.to_role}" if isinstance(fact, TaskEscalated) else task.owner_role,
        f"due {due}" if due else None,
        f"by {task.protocol.name}@{task.protocol.version}",
    )


@_words.register
def _(fact: PlanFact) -> str:
    done = sum(activity.status == "completed" for activity in fact.plan.activities)
    return _joined(
        f"{fact.plan.template}@{fact.plan.template_version}",
        f"status {fact.plan.status}",
        f"{done} of {len(fact.plan.activities)} activities done",
    )


@_words.register
def _(fact: NotificationFact) -> str:
    sent = fact.delivery
    return _joined(
        title_of(sent.event_type),
        f"to {sent.organisation}",
        sent.channel,
        f"because {', '.join(sent.bases)}" if sent.bases else None,
        f"{sent.attempts} attempt{'s' * (sent.attempts != 1)}" if sent.attempts else None,
    )


@_words.register
def _(fact: FeedCounted) -> str:
    return f"{fact.feed}: {fact.total} in the minute of {fact.minute:%H:%M} UTC"


@_words.register
def _(fact: SignalFact) -> str:
    return _joined(fact.kind, fact.scope, fact.text)


@_words.register
def _(fact: ReferralFact) -> str:
    return _joined(f"status {fact.status}", fact.service, fact.priority)


@_words.register
def _(fact: AppointmentFact) -> str:
    zone = fact.facility.time_zone if fact.facility else "UTC"
    return _joined(fact.service, local_time(fact.starts_at, zone))


@_words.register
def _(fact: ContactFact) -> str:
    return _joined(fact.channel, f"with {fact.with_whom}")


@_words.register
def _(fact: MedicationReconciled) -> str:
    return f"by {fact.by_role}" if fact.by_role else ""

"""What referrals, plans and follow-ups say to people outside. Pure.

A referral is told to both its sides and to whoever listens to the facility. Plans and follow-ups are said often, so
they go only where an endpoint asked for their type by name.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.notifications.announcement import Announcement, Parties, about
from services.notifications.directory import ANYWHERE
from services.notifications.showing import followup_shown, people_shown, plan_shown, referral_shown
from shared.events import AnyEvent, Fact
from shared.events.followups import (
    AppointmentBooked,
    AppointmentCancelled,
    AppointmentMoved,
    AppointmentNoShow,
    ContactAttempted,
    ContactMade,
    FollowUpFact,
)
from shared.events.plans import CarePlan, PlanActivated, PlanCompleted, PlanFact, PlanRevised, PlanRevoked
from shared.events.referrals import (
    ReferralAppointmentCancelled,
    ReferralAttended,
    ReferralCancelled,
    ReferralClosed,
    ReferralEnteredInError,
    ReferralExpired,
    ReferralFact,
    ReferralNoShow,
    ReferralRequested,
    ReferralResultReturned,
    ReferralResultWithdrawn,
    ReferralScheduled,
    ReferralStatusTold,
)

REFERRALS: tuple[type[Fact], ...] = (
    ReferralRequested,
    ReferralScheduled,
    ReferralNoShow,
    ReferralAttended,
    ReferralResultReturned,
    ReferralClosed,
    ReferralExpired,
    ReferralStatusTold,
)
CHOSEN: tuple[type[Fact], ...] = (
    PlanActivated,
    PlanRevised,
    PlanCompleted,
    PlanRevoked,
    AppointmentBooked,
    AppointmentMoved,
    AppointmentNoShow,
    ContactAttempted,
    ContactMade,
)
BY_CHOICE = frozenset(fact.TYPE for fact in CHOSEN)
"""Types that only an endpoint hears which names them."""
ANNOUNCED = (*REFERRALS, *CHOSEN)


def _types(*facts: type[Fact]) -> frozenset[str]:
    return frozenset(fact.TYPE for fact in facts)


TAKES_BACK: Mapping[str, frozenset[str]] = {
    ReferralCancelled.TYPE: _types(*REFERRALS),
    ReferralEnteredInError.TYPE: _types(*REFERRALS),
    ReferralAppointmentCancelled.TYPE: _types(ReferralScheduled),
    ReferralResultWithdrawn.TYPE: _types(ReferralResultReturned),
    AppointmentMoved.TYPE: _types(AppointmentBooked, AppointmentMoved),
    AppointmentCancelled.TYPE: _types(AppointmentBooked, AppointmentMoved),
}
"""What holds no longer of the same referral or appointment. Who was told of it is told of this."""
HEARD = frozenset(fact.TYPE for fact in ANNOUNCED) | TAKES_BACK.keys()
SAID = frozenset(fact.TYPE for fact in ANNOUNCED)


def coordination_of(event: AnyEvent) -> Announcement | None:
    """The notice of a referral, a plan or a follow-up; None for what nobody outside has to know."""
    if event.type not in HEARD:
        return None
    match event.fact:
        case ReferralFact() as referral:
            return _of_referral(event, referral)
        case PlanFact(plan=plan) as fact:
            return _of_plan(event, plan, fact.reason)
        case FollowUpFact() as followup:
            return _of_followup(event, followup)
        case _:
            return None


def _of_referral(event: AnyEvent, fact: ReferralFact) -> Announcement:
    sides = (("requester", fact.requester_npi, fact.requester), ("performer", fact.performer_npi, fact.performer))
    names = tuple((basis, name) for basis, _, name in sides if name)
    return _about(
        event,
        fact.referral_id,
        encounter_id=fact.encounter_id,
        # Messages name a side by its code; a person who asks for a referral here names the organisation itself.
        parties=Parties(
            npis=tuple((basis, npi) for basis, npi, _ in sides if npi),
            codes=names,
            organisations=names,
            facility=fact.facility.code if fact.facility else ANYWHERE,
        ),
        encounter=people_shown(fact.patient, fact.facility, fact.encounter_id),
        details={"referral": referral_shown(fact)},
    )


def _of_plan(event: AnyEvent, plan: CarePlan, reason: str | None) -> Announcement:
    led_by = [member for member in plan.team if member.role in {"attending", "pcp"}]
    return _about(
        event,
        plan.id,
        encounter_id=plan.encounter_id,
        transition_id=plan.transition_id,
        parties=Parties(
            npis=tuple((member.role, member.npi) for member in led_by if member.npi),
            codes=tuple((member.role, member.organisation) for member in led_by if member.organisation),
            facility=plan.facility.code,
        ),
        encounter=people_shown(plan.patient, plan.facility, plan.encounter_id),
        details={"plan": plan_shown(plan, reason)},
    )


def _of_followup(event: AnyEvent, fact: FollowUpFact) -> Announcement:
    return _about(
        event,
        fact.followup_id,
        encounter_id=fact.encounter_id,
        transition_id=fact.transition_id,
        parties=Parties(facility=fact.facility.code if fact.facility else ANYWHERE),
        encounter=people_shown(fact.patient, fact.facility, fact.encounter_id),
        details={"followup": followup_shown(fact)},
    )


def _about(event: AnyEvent, thread: UUID, **more: Any) -> Announcement:
    return about(
        event,
        thread=thread,
        announces=event.type in SAID,
        takes_back=TAKES_BACK.get(event.type, frozenset()),
        by_choice=not isinstance(event.fact, ReferralFact),
        **more,
    )

"""What is said of a referral on care.referrals.v1. Pure. What a message said already is not said a second time, but
for where it leads elsewhere than the message thought.
"""

from collections.abc import Mapping

from services.transitions.announcement import Cause
from services.transitions.referrals.clocks import Waiting
from services.transitions.referrals.referral import Deed, Referral
from services.transitions.referrals.states import Kind
from shared.events import Draft
from shared.events import referrals as facts
from shared.events.referrals import ReferralFact

SAID: Mapping[Kind, type[ReferralFact]] = {
    Kind.REQUEST: facts.ReferralRequested,
    Kind.UPDATE: facts.ReferralUpdated,
    Kind.RECEIVE: facts.ReferralReceived,
    Kind.ACCEPT: facts.ReferralAccepted,
    Kind.REJECT: facts.ReferralRejected,
    Kind.SCHEDULE: facts.ReferralScheduled,
    Kind.CANCEL_APPOINTMENT: facts.ReferralAppointmentCancelled,
    Kind.NO_SHOW: facts.ReferralNoShow,
    Kind.ATTEND: facts.ReferralAttended,
    Kind.START: facts.ReferralStarted,
    Kind.HOLD: facts.ReferralHeldBack,
    Kind.RESUME: facts.ReferralUpdated,
    Kind.FAIL: facts.ReferralFailed,
    Kind.COMPLETE: facts.ReferralOutcomeRecorded,
    Kind.RESULT: facts.ReferralResultReturned,
    Kind.WITHDRAW_RESULT: facts.ReferralResultWithdrawn,
    Kind.ACKNOWLEDGE: facts.ReferralClosed,
    Kind.REQUEST_CANCEL: facts.ReferralCancelRequested,
    Kind.CANCEL: facts.ReferralCancelled,
    Kind.DENY_CANCEL: facts.ReferralUpdated,
    Kind.REROUTE: facts.ReferralRerouted,
    Kind.CLOSE_UNMET: facts.ReferralClosedUnmet,
    Kind.ERROR: facts.ReferralEnteredInError,
    Kind.EXPIRE: facts.ReferralExpired,
    Kind.SUSPECT: facts.ReferralDuplicateSuspected,
    Kind.REPEAT: facts.ReferralDuplicateDecided,
}
KINDS: Mapping[type[ReferralFact], Kind] = {
    fact: kind for kind, fact in SAID.items() if kind not in {Kind.RESUME, Kind.DENY_CANCEL}
}
"""What a statement that came from outside means."""


def statements(
    before: Referral | None, after: Referral, awaited: Waiting | None, cause: Cause, heard: ReferralFact | None
) -> list[Draft]:
    """One statement a new deed that took effect; `heard` is the message's own one, if it was a referral's."""
    known = {deed.event_id for deed in before.deeds} if before else set()
    fresh = [d for d in after.deeds if d.event_id not in known and d.kind is not Kind.DRAFT]
    told = [d for d in fresh if d.event_id not in after.passed_over]
    drafts = [say(_fact_for(d, after, heard), after, awaited, cause) for d in told if not _is_known(d, after, heard)]
    moved = before is not None and before.state is not after.state
    return drafts or ([say(facts.ReferralUpdated, after, awaited, cause)] if moved and not told else [])


def say(fact: type[ReferralFact], referral: Referral, awaited: Waiting | None, cause: Cause, **more: object) -> Draft:
    terms = referral.terms
    said = terms.model_dump(exclude={"patient", "appointment"}, exclude_none=True)
    patient = (terms.patient.model_dump() if terms.patient else {}) | {"id": referral.patient_id}
    waits = {"waiting_for": awaited.code, "due_at": awaited.due_at} if awaited else {}
    value = fact.model_validate(
        {
            **said,
            "referral_id": referral.id,
            "version": referral.version,
            "status": referral.state.value,
            "patient": patient,
            **waits,
            **more,
        }
    )
    return Draft(
        fact=value,
        subject=referral.patient_id,
        time=cause.at,
        correlation_id=str(terms.encounter_id or referral.id),
        causation_id=cause.id,
        version=referral.version,
        late=cause.late,
        historical=referral.is_historical,
        traceparent=cause.traceparent,
    )


def _fact_for(deed: Deed, after: Referral, heard: ReferralFact | None) -> type[ReferralFact]:
    was_said = heard is not None and type(heard) is SAID[deed.kind]
    return facts.ReferralUpdated if was_said and after.is_open else SAID[deed.kind]


def _is_known(deed: Deed, after: Referral, heard: ReferralFact | None) -> bool:
    """Whether the message that brought the deed said it already, and what it said is so."""
    if heard is None or type(heard) is not SAID[deed.kind]:
        return False
    return heard.status == after.state.value or deed.kind is Kind.UPDATE

"""What is said of suspected duplicates of referrals: avoided only when a person confirmed it (domain rule). Pure."""

from datetime import timedelta

from services.transitions.quality.measures import DuplicateMeasure
from services.transitions.quality.outcome import History, Outcome
from services.transitions.referrals.referral import BY_PERSON, Deed, Referral
from services.transitions.referrals.states import Kind, State
from shared.calendar import end_of_day, local_date

DECISIONS = frozenset({Kind.CANCEL, Kind.REPEAT})
STAT = "stat"


def count_duplicates(measure: DuplicateMeasure, history: History) -> list[Outcome]:
    """One outcome a referral that was suspected; a stat one was never held, so nobody decided on it."""
    return [_of_suspected(measure, one) for one in history.referrals if one.is_suspected]


def _of_suspected(measure: DuplicateMeasure, referral: Referral) -> Outcome:
    terms = referral.terms
    zone = terms.facility.time_zone if terms.facility else "UTC"
    asked_on = local_date(referral.requested_at, zone)
    last = asked_on + timedelta(days=measure.to_day)
    decided = _decision(referral)
    is_avoided = decided is not None and decided.kind is Kind.CANCEL and local_date(decided.at, zone) <= last
    error = "entered-in-error" if referral.state is State.ENTERED_IN_ERROR else None
    exclusion = "stat" if terms.priority == STAT else error
    words = {Kind.CANCEL: "linked or cancelled", Kind.REPEAT: "a justified repeat"}
    return Outcome.of_referral(
        measure,
        referral,
        asked_on,
        closes_at=min(decided.at, end_of_day(last, zone)) if decided else end_of_day(last, zone),
        exclusion=exclusion,
        met=is_avoided and exclusion is None,
        met_at=decided.at if decided and is_avoided else None,
        event_id=decided.event_id if decided and is_avoided else None,
        value=float((local_date(decided.at, zone) - asked_on).days) if decided else None,
        why=f"left out: {exclusion}" if exclusion else words[decided.kind] if decided else "nobody has decided",
    )


def _decision(referral: Referral) -> Deed | None:
    """The first word of a person on it."""
    said = [deed for deed in referral.deeds if deed.kind in DECISIONS and deed.source == BY_PERSON]
    return min(said, key=lambda deed: deed.order, default=None)

"""What did not happen to one stay or one referral. One signal each, unless so many of one house are late at once that
it is a matter of the house or its feed: then one signal says so, and no further ones of single cases are raised. Pure.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from services.transitions.signals.readings import Finding, LateStay, Open, UnbookedReferral, facility_scope
from services.transitions.signals.thresholds import ExpectedDischarge, Referral
from shared.events.operations import SignalKind

HOUR = timedelta(hours=1)


def discharges_overdue(
    stays: Iterable[LateStay], at: datetime, standing: Open, limits: ExpectedDischarge
) -> list[Finding]:
    """Stays whose expected discharge passed `hours` ago without a discharge (A03)."""
    late = [_late_stay(stay, at) for stay in stays if at - stay.expected_by >= limits.hours * HOUR]
    return singly(late, standing, limits.at_once, "stays are past their expected discharge without an A03")


def _late_stay(stay: LateStay, at: datetime) -> Finding:
    text = f"A stay on {stay.unit} of {stay.facility} is {{hours}} hours past its expected discharge; no A03 came."
    scope = f"encounter:{stay.encounter_id}"
    return _waited(SignalKind.DISCHARGE_OVERDUE, scope, stay.expected_by, at, text, stay.facility)


def _waited(kind: SignalKind, scope: str, since: datetime, at: datetime, text: str, facility: str) -> Finding:
    """What has been waited for since then; its value, and `{hours}` in its text, are how long."""
    hours = (at - since) / HOUR
    text = text.replace("{hours}", f"{hours:.0f}")
    return Finding(kind=kind, scope=scope, since=since, value=round(hours, 1), usual=None, text=text, facility=facility)


def referrals_unbooked(
    referrals: Iterable[UnbookedReferral], at: datetime, standing: Open, limits: Referral
) -> list[Finding]:
    """Open referrals without an appointment `hours` after they were requested, by priority."""
    late = [_unbooked(one, at) for one in referrals if at - one.requested_at >= limits.hours.of(one.priority) * HOUR]
    return singly(late, standing, limits.at_once, "referrals have waited too long for an appointment")


def _unbooked(referral: UnbookedReferral, at: datetime) -> Finding:
    text = f"A {referral.priority} referral of {referral.facility} has no appointment after {{hours}} hours."
    scope = f"referral:{referral.referral_id}"
    return _waited(SignalKind.REFERRAL_UNBOOKED, scope, referral.requested_at, at, text, referral.facility)


def singly(cases: Iterable[Finding], standing: Open, at_once: int, words: str) -> list[Finding]:
    """The cases of each facility, or one finding for more than `at_once` of them. That one stands until no more than
    half as many are left; single ones that were open before it stay open until their own case is over.
    """
    by_facility: dict[str, list[Finding]] = {}
    for case in cases:
        by_facility.setdefault(case.facility or "", []).append(case)
    found: list[Finding] = []
    for facility, late in sorted(by_facility.items()):
        kind, scope = late[0].kind, facility_scope(facility)
        if len(late) > (at_once // 2 if (kind, scope) in standing else at_once):
            found.append(_together(facility, late, words))
            found += [case for case in late if (kind, case.scope) in standing]
        else:
            found += late
    return found


def _together(facility: str, late: Sequence[Finding], words: str) -> Finding:
    return Finding(
        kind=late[0].kind,
        scope=facility_scope(facility),
        since=min(case.since for case in late),
        value=float(len(late)),
        usual=None,
        text=f"{len(late)} {words} at {facility}.",
        facility=facility,
    )

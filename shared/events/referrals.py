"""care.referrals.v1: a referral from request to closed loop (domain states of 360X, BSeR and Gravity united)."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from shared.events.fact import Fact, Topic
from shared.events.people import Facility, Identifier, PatientSummary


class ReferralFact(Fact):
    """`referral_id` stays the same through the referral's life; `identifier` is its originator's (RF1-6).

    `status` is one of requested, accepted, rejected, cancel-requested, cancelled, expired … (design: closed loop);
    `requester` and `performer` are names to show, `requester_npi` and `performer_npi` tell who they are.
    """

    TOPIC: ClassVar[Topic] = Topic.REFERRALS
    referral_id: UUID
    version: int
    patient: PatientSummary
    facility: Facility | None = None
    identifier: Identifier | None = None
    service: str | None = None
    priority: str = "routine"
    status: str
    requester: str | None = None
    performer: str | None = None
    encounter_id: UUID | None = None
    scheduled_at: datetime | None = None
    expires_at: datetime | None = None
    reason: str | None = None
    service_code: str | None = None
    requester_npi: str | None = None
    performer_npi: str | None = None
    external_identifier: Identifier | None = None


class ReferralRequested(ReferralFact):
    TYPE = "care.referral.requested.v1"


class ReferralAccepted(ReferralFact):
    TYPE = "care.referral.accepted.v1"


class ReferralRejected(ReferralFact):
    TYPE = "care.referral.rejected.v1"


class ReferralScheduled(ReferralFact):
    TYPE = "care.referral.scheduled.v1"


class ReferralNoShow(ReferralFact):
    TYPE = "care.referral.no-show.v1"


class ReferralAttended(ReferralFact):
    TYPE = "care.referral.attended.v1"


class ReferralResultReturned(ReferralFact):
    TYPE = "care.referral.result-returned.v1"


class ReferralClosed(ReferralFact):
    TYPE = "care.referral.closed.v1"


class ReferralCancelled(ReferralFact):
    TYPE = "care.referral.cancelled.v1"


class ReferralExpired(ReferralFact):
    TYPE = "care.referral.expired.v1"


class ReferralUpdated(ReferralFact):
    """Something of the referral changed (I13), not where it stands."""

    TYPE = "care.referral.updated.v1"


class ReferralCancelRequested(ReferralFact):
    """The requester asks to cancel it (I14); whether it is cancelled, the performer answers."""

    TYPE = "care.referral.cancel-requested.v1"


REFERRAL_FACTS: tuple[type[Fact], ...] = (
    ReferralRequested,
    ReferralAccepted,
    ReferralRejected,
    ReferralScheduled,
    ReferralNoShow,
    ReferralAttended,
    ReferralResultReturned,
    ReferralClosed,
    ReferralCancelled,
    ReferralExpired,
    ReferralUpdated,
    ReferralCancelRequested,
)

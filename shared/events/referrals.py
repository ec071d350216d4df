"""care.referrals.v1: a referral from request to closed loop (domain states of 360X, BSeR and Gravity united)."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from shared.events.fact import Fact, Topic
from shared.events.people import Facility, Identifier, PatientSummary


class ReferralFact(Fact):
    """`referral_id` stays the same through the referral's life; `identifier` is its originator's (RF1-6).

    `status` is one of requested, accepted, rejected, cancel-requested, cancelled, expired … (design: closed loop);
    `requester` and `performer` are names to show, `requester_npi` and `performer_npi` tell who they are. `asked_at` is
    when somebody last asked where it stands (I15).
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
    outcome: str | None = None
    duplicate_of: UUID | None = None
    replaces: UUID | None = None
    waiting_for: str | None = None
    due_at: datetime | None = None
    asked_at: datetime | None = None


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


class ReferralReceived(ReferralFact):
    """The performer has it and has not decided (RF1-1 pending)."""

    TYPE = "care.referral.received.v1"


class ReferralAppointmentCancelled(ReferralFact):
    """The appointment fell through; the referral is accepted and waits for another."""

    TYPE = "care.referral.appointment-cancelled.v1"


class ReferralStarted(ReferralFact):
    """The performer works on it; outcome or result are still to come."""

    TYPE = "care.referral.started.v1"


class ReferralOutcomeRecorded(ReferralFact):
    """The performer says the work is done, with `outcome`; without its result the loop stays open."""

    TYPE = "care.referral.outcome-recorded.v1"


class ReferralResultWithdrawn(ReferralFact):
    """The result was cancelled or deleted at its source: the loop is open again."""

    TYPE = "care.referral.result-withdrawn.v1"


class ReferralHeldBack(ReferralFact):
    """The performer put it on hold."""

    TYPE = "care.referral.held-back.v1"


class ReferralFailed(ReferralFact):
    """The performer accepted it and could not do it; the requester decides what comes next."""

    TYPE = "care.referral.failed.v1"


class ReferralRerouted(ReferralFact):
    """A new referral, to another performer, takes this one's place (its `replaces` names this one)."""

    TYPE = "care.referral.rerouted.v1"


class ReferralClosedUnmet(ReferralFact):
    """The loop was closed without the service having been given; `reason` says why."""

    TYPE = "care.referral.closed-unmet.v1"


class ReferralEnteredInError(ReferralFact):
    TYPE = "care.referral.entered-in-error.v1"


class ReferralDuplicateSuspected(ReferralFact):
    """The same service was asked for already (`duplicate_of`). Unless it is stat, it waits for a person's decision."""

    TYPE = "care.referral.duplicate-suspected.v1"


class ReferralDuplicateDecided(ReferralFact):
    """A person decided: a justified repeat goes on. Linked or cancelled ones are told as cancelled."""

    TYPE = "care.referral.duplicate-decided.v1"


class ReferralStatusAsked(ReferralFact):
    """Somebody asks where it stands (I15); nothing of it changed."""

    TYPE = "care.referral.status-asked.v1"


class ReferralStatusTold(ReferralFact):
    """The answer to a question about its status: where it stands, what it waits for, and until when."""

    TYPE = "care.referral.status-told.v1"


class ReferralOverdue(ReferralFact):
    """What the referral waits for (`waiting_for`) was due at `due_at`; `to_role` must act."""

    TYPE = "care.referral.overdue.v1"
    to_role: str


class ReferralEscalated(ReferralFact):
    """The ladder's `level` was reached; `to_role` must now be told."""

    TYPE = "care.referral.escalated.v1"
    level: int
    to_role: str


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
    ReferralReceived,
    ReferralAppointmentCancelled,
    ReferralStarted,
    ReferralOutcomeRecorded,
    ReferralResultWithdrawn,
    ReferralHeldBack,
    ReferralFailed,
    ReferralRerouted,
    ReferralClosedUnmet,
    ReferralEnteredInError,
    ReferralDuplicateSuspected,
    ReferralDuplicateDecided,
    ReferralStatusAsked,
    ReferralStatusTold,
    ReferralOverdue,
    ReferralEscalated,
)

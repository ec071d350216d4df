"""care.notifications.v1: what became of each notice: queued, delivered, failed, acknowledged, retracted, suppressed."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar
from uuid import UUID

from typing_extensions import override

from shared.events.fact import Fact, Part, Topic


class Channel(StrEnum):
    WEBHOOK = "webhook"
    KAFKA = "kafka"


class Acknowledgement(StrEnum):
    """How soon a notice must be acknowledged, in words of FHIR's request-priority. The times stand with the tasks that
    transitions opens for it.
    """

    ROUTINE = "routine"
    URGENT = "urgent"
    STAT = "stat"


class AcknowledgementAsked(Part):
    """The recipient must acknowledge the notice. `asked_at` is when it was decided to send it: the time runs from then,
    whether or not it can be delivered.
    """

    priority: Acknowledgement
    asked_at: datetime


class SuppressionReason(StrEnum):
    """Why a notice was not sent: a closed list, since people are shown and counted by it."""

    NO_RECIPIENT = "no-recipient"
    ENDPOINT_DISABLED = "endpoint-disabled"
    NOT_SUBSCRIBED = "not-subscribed"
    DUPLICATE = "duplicate"
    RETRACTED_BEFORE_SENT = "retracted-before-sent"
    NEVER_TOLD = "never-told"
    HISTORICAL = "historical"
    PATIENT_DECEASED = "patient-deceased"


class Delivery(Part):
    """One notice to one endpoint. `bases` says why this recipient must know (attending, pcp, subscription …).

    `retracts` names the earlier events that this notice takes back: one cancel may take back several. `late`: it tells
    of what had happened long before it was recorded. `acknowledgement`: somebody there must say that it was read.
    """

    id: UUID
    version: int
    patient_id: str
    organisation: str
    endpoint_id: UUID | None = None
    channel: Channel | None = None
    event_id: UUID
    event_type: str
    encounter_id: UUID | None = None
    transition_id: UUID | None = None
    bases: tuple[str, ...] = ()
    status: str
    attempts: int = 0
    retracts: tuple[UUID, ...] = ()
    late: bool = False
    acknowledged_by: str | None = None
    at: datetime
    acknowledgement: AcknowledgementAsked | None = None


class NotificationFact(Fact):
    TOPIC: ClassVar[Topic] = Topic.NOTIFICATIONS
    delivery: Delivery
    reason: str | None = None


class NotificationQueued(NotificationFact):
    TYPE = "care.notification.queued.v1"


class NotificationDelivered(NotificationFact):
    TYPE = "care.notification.delivered.v1"


class NotificationFailed(NotificationFact):
    """No further attempt will be made by itself; `reason` says why. It stands in the console until someone acts."""

    TYPE = "care.notification.failed.v1"


class NotificationAcknowledged(NotificationFact):
    TYPE = "care.notification.acknowledged.v1"


class NotificationRetracted(NotificationFact):
    """Who had been told was told that it does not hold, or had not been told yet and never will be."""

    TYPE = "care.notification.retracted.v1"


class NotificationSuppressed(NotificationFact):
    TYPE = "care.notification.suppressed.v1"


class NotificationSnapshot(NotificationFact):
    TYPE = "care.notification.snapshot.v1"


class NotificationsPatientMerged(Fact):
    """The deliveries of `retired` stand under `survivor` now."""

    TYPE = "care.notification.patient-merged.v1"
    TOPIC: ClassVar[Topic] = Topic.NOTIFICATIONS
    retired: str
    survivor: str

    @override
    def concerns(self) -> tuple[str, ...]:
        return (self.retired, self.survivor)


class ProviderNotice(Fact):
    """What stands on `care.provider.<organisation>.v1` and in a webhook body: exactly what that recipient may see.

    The topic is chosen per organisation; TOPIC is only the family's name. `body` is `full` or `thin` (ids only).
    `retracts` names the events this organisation was told of and that do not hold; `amends` one that is corrected.
    `recorded_at` is when we heard of what happened at `occurred_at`. `late`: that was more than a day after (the
    sender's setting); such a notice completes the record and is no fresh alert, so nobody is to be woken for it.
    `acknowledgement`: the recipient must acknowledge it by its `notice_id`, or people are told that nobody did.
    """

    TYPE = "care.provider.notice.v1"
    TOPIC: ClassVar[Topic] = Topic.NOTIFICATIONS
    notice_id: UUID
    event_id: UUID
    event_type: str
    organisation: str
    occurred_at: datetime
    patient_id: str | None = None
    encounter_id: UUID | None = None
    transition_id: UUID | None = None
    retracts: tuple[UUID, ...] = ()
    amends: UUID | None = None
    bases: tuple[str, ...] = ()
    body: str = "full"
    encounter: dict[str, object] | None = None
    task: dict[str, object] | None = None
    recorded_at: datetime | None = None
    late: bool = False
    referral: dict[str, object] | None = None
    plan: dict[str, object] | None = None
    followup: dict[str, object] | None = None
    acknowledgement: AcknowledgementAsked | None = None


NOTIFICATION_FACTS: tuple[type[Fact], ...] = (
    NotificationQueued,
    NotificationDelivered,
    NotificationFailed,
    NotificationAcknowledged,
    NotificationRetracted,
    NotificationSuppressed,
    NotificationSnapshot,
    NotificationsPatientMerged,
    ProviderNotice,
)

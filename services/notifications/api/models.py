"""What the routes answer with."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ShownEndpoint(_Shown):
    id: UUID
    organisation: str
    channel: str
    url: str | None
    event_types: list[str]
    body: str
    description: str
    status: str
    disabled_reason: str | None
    concurrency: int
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    version: int
    created_at: datetime


class NewSecret(ShownEndpoint):
    """`secret` is shown this once. After a rotation the old one signs too until `previous_until`."""

    secret: str
    previous_until: datetime | None = None


class Tried(_Shown):
    """What a test notice met."""

    outcome: str
    status: int | None
    latency_ms: int


class ShownDelivery(_Shown):
    """One notice to one endpoint. `id` is its webhook-id; `position` is the key for the next page (`before`).
    `acknowledgement`: how soon it must be acknowledged, counted from `asked_at`.
    """

    id: UUID
    position: int
    version: int
    event_id: UUID
    event_type: str
    endpoint_id: UUID | None
    organisation: str
    channel: str | None
    patient_id: str
    encounter_id: UUID | None
    transition_id: UUID | None
    bases: list[str]
    body: str
    retracts: list[UUID]
    amends: UUID | None
    retracted_by: UUID | None
    status: str
    reason: str | None
    attempts: int
    due_at: datetime | None
    occurred_at: datetime
    late: bool
    queued_at: datetime
    closed_at: datetime | None
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    acknowledgement: str | None
    asked_at: datetime | None


class ShownAttempt(_Shown):
    """`answer` is the beginning of what the recipient's server said, as text."""

    number: int
    outcome: str
    status: int | None
    latency_ms: int
    answer: str
    at: datetime


class DeliveryWithAttempts(_Shown):
    delivery: ShownDelivery
    history: list[ShownAttempt]


class DeliveryPage(_Shown):
    items: list[ShownDelivery]
    next_before: int | None


class ShownSuppression(_Shown):
    id: UUID
    position: int
    event_id: UUID
    event_type: str
    patient_id: str
    encounter_id: UUID | None
    organisation: str
    endpoint_id: UUID | None
    reason: str
    bases: list[str]
    at: datetime


class SuppressionPage(_Shown):
    items: list[ShownSuppression]
    next_before: int | None


class RosterLoaded(_Shown):
    version: int
    memberships: int
    removed: int


class ShownRoster(_Shown):
    """The latest load and what is known of each organisation; patients of panels are counted, not listed."""

    latest: dict[str, Any] | None
    organisations: list[dict[str, Any]]

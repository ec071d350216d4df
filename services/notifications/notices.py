"""Rows as the contract says them: the notice a recipient reads, and the delivery that the house hears of. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.events import Draft
from shared.events.notifications import (
    Acknowledgement,
    AcknowledgementAsked,
    Channel,
    Delivery,
    NotificationFact,
    ProviderNotice,
)

THIN = "thin"


def provider_notice(row: Mapping[str, Any], *, body: str | None = None) -> ProviderNotice:
    """The notice of one delivery (joined with its `notice`). `thin` says ids only; the rest is fetched by its id."""
    body = body or row["body"]
    return ProviderNotice(
        notice_id=row["id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        organisation=row["organisation"],
        occurred_at=row["occurred_at"],
        recorded_at=row["event_recorded_at"],
        late=row["late"],
        patient_id=row["patient_id"],
        encounter_id=row["encounter_id"],
        transition_id=row["transition_id"],
        retracts=tuple(row["retracts"]),
        amends=row["amends"],
        bases=tuple(row["bases"]),
        body=body,
        encounter=None if body == THIN else row["encounter"],
        task=None if body == THIN else row["task"],
        acknowledgement=acknowledgement_of(row),
        **({} if body == THIN else row["details"] or {}),
    )


def acknowledgement_of(row: Mapping[str, Any]) -> AcknowledgementAsked | None:
    """What the delivery row asks of its recipient, if anything."""
    asked = row["acknowledgement"]
    return AcknowledgementAsked(priority=Acknowledgement(asked), asked_at=row["asked_at"]) if asked else None


def provider_topic(organisation: str) -> str:
    return f"care.provider.{organisation}.v1"


def delivery_said(row: Mapping[str, Any], at: datetime) -> Delivery:
    """A delivery row (joined with its notice's type and transition) as events tell it."""
    return Delivery(
        id=row["id"],
        version=row["version"],
        patient_id=row["patient_id"],
        organisation=row["organisation"],
        endpoint_id=row["endpoint_id"],
        channel=Channel(row["channel"]) if row["channel"] else None,
        event_id=row["event_id"],
        event_type=row["event_type"],
        encounter_id=row["encounter_id"],
        transition_id=row["transition_id"],
        bases=tuple(row["bases"]),
        status=row["status"],
        attempts=row["attempts"],
        retracts=tuple(row["retracts"]),
        late=row["late"],
        acknowledged_by=row["acknowledged_by"],
        at=at,
        acknowledgement=acknowledgement_of(row),
    )


def said(fact: type[NotificationFact], row: Mapping[str, Any], at: datetime, reason: str | None = None) -> Draft:
    """The draft of `fact` about a delivery row joined with its notice."""
    return Draft(
        fact=fact(delivery=delivery_said(row, at), reason=reason),
        subject=row["patient_id"],
        time=at,
        correlation_id=row["correlation_id"],
        causation_id=str(row["event_id"]),
        version=row["version"],
        traceparent=row["traceparent"],
    )

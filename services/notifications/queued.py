"""Decisions as rows and events: what is stored of a batch, and what the house is told of it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from services.notifications.announcement import Announcement
from services.notifications.history import OPEN, Told
from services.notifications.notices import provider_notice, provider_topic
from services.notifications.planning import Decision, Planned, Suppressed
from shared.events import Draft
from shared.events.notifications import (
    AcknowledgementAsked,
    Channel,
    Delivery,
    NotificationDelivered,
    NotificationFact,
    NotificationFailed,
    NotificationQueued,
    NotificationRetracted,
    NotificationSuppressed,
)

DROPPED = "retracted-before-sent"
Survivors = Mapping[str, str]


@dataclass(slots=True)
class Rows:
    """Rows in the column order of the statements of `store.queueing`."""

    notices: list[tuple[Any, ...]] = field(default_factory=list)
    deliveries: list[tuple[Any, ...]] = field(default_factory=list)
    suppressions: list[tuple[Any, ...]] = field(default_factory=list)
    dropped: list[tuple[UUID, UUID]] = field(default_factory=list)
    retracted: list[tuple[UUID, UUID]] = field(default_factory=list)


def rows_of(decisions: Sequence[Decision], survivors: Survivors, now: datetime) -> Rows:
    """A delivery that this very batch dropped again is stored as dropped: it is never seen as due."""
    rows = Rows()
    made = {one.told.delivery_id for decision in decisions for one in decision.planned}
    lanes: set[tuple[UUID, str]] = set()
    for decision in decisions:
        patient = survivors.get(decision.notice.patient_id, decision.notice.patient_id)
        rows.notices.append(_notice_row(decision.notice, patient))
        for one in decision.planned:
            lane = (one.endpoint.id, patient)
            rows.deliveries.append(_delivery_row(decision.notice, one, patient, now, follows=lane in lanes))
            if one.told.status in OPEN:
                lanes.add(lane)
        rows.suppressions += [_suppression_row(decision.notice, one, patient) for one in decision.suppressed]
        rows.dropped += _pairs(decision.dropped, decision.notice.event_id, made)
        rows.retracted += _pairs(decision.retracted, decision.notice.event_id, made)
    return rows


def _pairs(several: Sequence[Told], event_id: UUID, made: set[UUID]) -> list[tuple[UUID, UUID]]:
    return [(one.delivery_id, event_id) for one in several if one.delivery_id not in made]


def _notice_row(notice: Announcement, patient: str) -> tuple[Any, ...]:
    return (
        notice.event_id,
        notice.event_type,
        patient,
        notice.encounter_id,
        notice.transition_id,
        notice.occurred_at,
        notice.correlation_id,
        notice.traceparent,
        notice.amends,
        orjson.dumps(notice.encounter) if notice.encounter else None,
        orjson.dumps(notice.task) if notice.task else None,
        notice.recorded_at,
        notice.late,
        notice.thread,
        orjson.dumps(notice.details) if notice.details else None,
    )


def _delivery_row(notice: Announcement, one: Planned, patient: str, now: datetime, *, follows: bool) -> tuple[Any, ...]:
    return (
        one.told.delivery_id,
        notice.event_id,
        one.endpoint.id,
        one.endpoint.organisation,
        one.endpoint.channel.value,
        patient,
        notice.encounter_id,
        ",".join(one.bases),
        one.body,
        one.told.status,
        follows,
        DROPPED if one.told.status == "retracted" else one.reason,
        ",".join(str(event_id) for event_id in one.retracts),
        one.told.retracted_by,
        one.told.version,
        one.asks,
        now if one.asks else None,
    )


def _suppression_row(notice: Announcement, one: Suppressed, patient: str) -> tuple[Any, ...]:
    return (
        one.id,
        notice.event_id,
        notice.event_type,
        patient,
        notice.encounter_id,
        one.organisation,
        one.endpoint_id,
        one.reason.value,
        ",".join(one.bases),
    )


def events_of(decisions: Sequence[Decision], survivors: Survivors, now: datetime) -> list[Draft]:
    """What is said of a batch, in the order of its events."""
    return [draft for decision in decisions for draft in _Saying(decision, survivors, now).drafts()]


@dataclass(slots=True)
class _Saying:
    """The events about one notice."""

    decision: Decision
    survivors: Survivors
    now: datetime

    def drafts(self) -> Iterator[Draft]:
        for told in self.decision.dropped:
            yield self._draft(NotificationRetracted, self._earlier(told), DROPPED)
        for one in self.decision.planned:
            yield from self._of_planned(one)
        for suppressed in self.decision.suppressed:
            yield self._draft(NotificationSuppressed, self._suppressed(suppressed), suppressed.reason.value)

    def _of_planned(self, one: Planned) -> Iterator[Draft]:
        """What ends in the transaction that queues it is told by its end alone: nobody could ever see it queued."""
        if one.reason:
            yield self._draft(NotificationFailed, self._delivery(one, "failed", 2), one.reason)
        elif one.endpoint.channel is Channel.KAFKA:
            yield self._to_topic(one)
            yield self._draft(NotificationDelivered, self._delivery(one, "delivered", 2))
        else:
            yield self._draft(NotificationQueued, self._delivery(one, "queued", 1))

    def _to_topic(self, one: Planned) -> Draft:
        """The recipient's own topic: said in the transaction that closes the delivery, so never twice nor lost."""
        notice = self.decision.notice
        row = {
            "id": one.told.delivery_id,
            "event_id": notice.event_id,
            "event_type": notice.event_type,
            "organisation": one.endpoint.organisation,
            "occurred_at": notice.occurred_at,
            "patient_id": self._patient,
            "encounter_id": notice.encounter_id,
            "transition_id": notice.transition_id,
            "retracts": one.retracts,
            "amends": notice.amends,
            "bases": one.bases,
            "body": one.body,
            "encounter": notice.encounter,
            "task": notice.task,
            "event_recorded_at": notice.recorded_at,
            "late": notice.late,
            "details": notice.details,
            "acknowledgement": one.asks,
            "asked_at": self.now,
        }
        return self._say(provider_notice(row), topic=provider_topic(one.endpoint.organisation))

    @property
    def _patient(self) -> str:
        return self.survivors.get(self.decision.notice.patient_id, self.decision.notice.patient_id)

    def _draft(self, fact: type[NotificationFact], delivery: Delivery, reason: str | None = None) -> Draft:
        return self._say(fact(delivery=delivery, reason=reason), version=delivery.version)

    def _say(self, fact: Any, *, topic: str | None = None, version: int = 1) -> Draft:
        notice = self.decision.notice
        return Draft(
            fact=fact,
            subject=self._patient,
            time=self.now,
            correlation_id=notice.correlation_id,
            causation_id=str(notice.event_id),
            version=version,
            traceparent=notice.traceparent,
            topic=topic,
        )

    def _delivery(self, one: Planned, status: str, version: int) -> Delivery:
        notice = self.decision.notice
        return Delivery(
            id=one.told.delivery_id,
            version=version,
            patient_id=self._patient,
            organisation=one.endpoint.organisation,
            endpoint_id=one.endpoint.id,
            channel=one.endpoint.channel,
            event_id=notice.event_id,
            event_type=notice.event_type,
            encounter_id=notice.encounter_id,
            transition_id=notice.transition_id,
            bases=one.bases,
            status=status,
            retracts=one.retracts,
            late=notice.late,
            at=self.now,
            acknowledgement=AcknowledgementAsked(priority=one.asks, asked_at=self.now) if one.asks else None,
        )

    def _earlier(self, told: Told) -> Delivery:
        notice = self.decision.notice
        return Delivery(
            id=told.delivery_id,
            version=told.version,
            patient_id=self._patient,
            organisation=told.organisation,
            endpoint_id=told.endpoint_id,
            channel=Channel.WEBHOOK,
            event_id=told.event_id,
            event_type=told.event_type,
            encounter_id=notice.encounter_id,
            transition_id=notice.transition_id,
            status="retracted",
            at=self.now,
        )

    def _suppressed(self, one: Suppressed) -> Delivery:
        notice = self.decision.notice
        return Delivery(
            id=one.id,
            version=1,
            patient_id=self._patient,
            organisation=one.organisation,
            endpoint_id=one.endpoint_id,
            event_id=notice.event_id,
            event_type=notice.event_type,
            encounter_id=notice.encounter_id,
            transition_id=notice.transition_id,
            bases=one.bases,
            status="suppressed",
            late=notice.late,
            at=self.now,
        )

"""After the attempts: many results in one transaction, each closed by its lease's token."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.notifications.notices import said
from services.notifications.retrying import Answer, Health, Verdict
from services.notifications.store import queueing, sending
from shared.events import Draft
from shared.events.notifications import NotificationDelivered, NotificationFailed, NotificationRetracted
from shared.metrics import DELIVERIES, DELIVERY_SECONDS
from shared.postgres import Database, Transaction

if TYPE_CHECKING:
    from services.notifications.store import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An attempt that ended: the claimed row, what came back, and what follows."""

    row: "Record"
    answer: Answer
    verdict: Verdict

    @property
    def is_told(self) -> bool:
        return self.verdict.status == "delivered"


async def close_attempts(database: Database, finished: Sequence[Finished]) -> None:
    """Records all attempts, closes the deliveries that are still ours, moves the lanes on, and says so."""
    async with database.transaction() as tx:
        await tx.lock({one.row["patient_id"] for one in finished})
        closed = await sending.close(tx.connection, [_closing(one) for one in finished])
        await sending.insert_attempts(tx.connection, [_attempt(one) for one in finished])
        ended = [row for row in closed if row["status"] != "queued"]
        if ended:
            await queueing.advance(tx.connection, [(row["endpoint_id"], row["patient_id"]) for row in ended])
        await _keep_health(tx, finished)
        await tx.publish(_said_of(ended) + await retract_told(tx, ended))
    _count(finished, closed)


def _closing(one: Finished) -> tuple[Any, ...]:
    verdict = one.verdict
    return (
        one.row["id"],
        one.row["lease"],
        verdict.status,
        verdict.reason,
        one.answer.may_have_arrived,
        verdict.wait or timedelta(),
    )


def _attempt(one: Finished) -> tuple[Any, ...]:
    answer = one.answer
    return one.row["id"], one.row["attempts"], answer.outcome.value, answer.status, answer.latency_ms, answer.body


def _said_of(ended: "Sequence[Record]") -> list[Draft]:
    """In the order of queueing, which per patient and endpoint is the order of events."""
    drafts = []
    for row in sorted(ended, key=lambda row: int(row["position"])):
        fact = NotificationDelivered if row["status"] == "delivered" else NotificationFailed
        drafts.append(said(fact, row, row["now"], row["reason"]))
    return drafts


async def retract_told(tx: Transaction, ended: "Sequence[Record]") -> list[Draft]:
    """Whoever just got a retraction no longer counts as told of the originals."""
    retractions = [row["id"] for row in ended if row["status"] == "delivered" and row["retracts"]]
    if not retractions:
        return []
    taken = await sending.take_back(tx.connection, retractions)
    return [said(NotificationRetracted, row, row["now"], row["reason"]) for row in taken]


async def _keep_health(tx: Transaction, finished: Sequence[Finished]) -> None:
    """Touches only endpoints that fail or failed: a healthy one costs nothing."""
    met: dict[UUID, list[Finished]] = {}
    for one in finished:
        met.setdefault(one.row["endpoint_id"], []).append(one)
    noted = {key for key, several in met.items() if any(one.row["failures"] or _bad(one) for one in several)}
    if not noted:
        return
    rows, recovered, now = [], [], await tx.now()
    for row in await sending.lock_health(tx.connection, noted):
        before = Health(failures=row["failures"], failing_since=row["failing_since"])
        after = health_after(before, [one.answer for one in met[row["id"]]], now)
        rows.append(
            (row["id"], after.failures, after.failing_since, _pause(after, met[row["id"]]), _end(after, met, row, now))
        )
        if before.open and not after.open:
            recovered.append(row["id"])
    await sending.set_health(tx.connection, rows)
    if recovered:
        await sending.hurry(tx.connection, recovered)


def health_after(before: Health, answers: Sequence[Answer], now: datetime) -> Health:
    """Answers that came together count once: eight connections to one dead server are one failure."""
    after = [before.after(answer, now) for answer in answers]
    return min(after, key=lambda health: health.failures)


def _bad(one: Finished) -> bool:
    return Health().after(one.answer, one.row["queued_at"]).failures > 0 or one.verdict.disables


def _pause(after: Health, several: Sequence[Finished]) -> timedelta | None:
    pauses = [one.verdict.pause for one in several if one.verdict.pause]
    return max([*pauses, *filter(None, [after.pause()])], default=None)


def _end(after: Health, met: dict[UUID, list[Finished]], row: "Record", now: datetime) -> str | None:
    if any(one.verdict.disables for one in met[row["id"]]):
        return "gone"
    return "failing-for-days" if after.worn_out(now) else None


def _count(finished: Sequence[Finished], closed: "Sequence[Record]") -> None:
    for one in finished:
        DELIVERIES.labels("webhook", outcome_counted(one)).inc()
    for row in closed:
        if row["status"] == "delivered":
            DELIVERY_SECONDS.labels("webhook").observe((row["now"] - row["queued_at"]).total_seconds())


def outcome_counted(one: Finished) -> str:
    """The label of an attempt: the state it led to, or how it failed to get an answer."""
    return one.verdict.status if one.answer.status is not None else one.answer.outcome.value


async def set_aside(database: Database, delivery_id: UUID, *, with_events: bool) -> None:
    """Fails a delivery whose end can't be written down as it was: visibly, and to be sent again by a person. Without
    events where it is they that are refused: the row alone then says so.
    """
    async with database.transaction() as tx:
        rows = await sending.set_aside(tx.connection, delivery_id)
        await queueing.advance(tx.connection, [(row["endpoint_id"], row["patient_id"]) for row in rows])
        if rows and with_events:
            await tx.lock({row["patient_id"] for row in rows})
            await tx.publish(_said_of(rows))


async def strand(database: Database, limit: int) -> int:
    """Fails what still waits for endpoints that were disabled, visibly; answers how many."""
    async with database.transaction() as tx:
        found = await sending.stranded(tx.connection, limit)
        if not found:
            return 0
        await tx.lock({row["patient_id"] for row in found})
        rows = await sending.strand(tx.connection, [row["id"] for row in found])
        await tx.publish(_said_of(rows))
    return len(found)

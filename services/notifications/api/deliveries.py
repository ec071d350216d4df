"""What became of the notices: deliveries with their attempts, and what was not sent and why. Ids only, no names."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request

from services.notifications.acting import Wake, acknowledge, may_see, no_such_delivery, redeliver
from services.notifications.api.models import (
    DeliveryPage,
    DeliveryWithAttempts,
    ShownAttempt,
    ShownDelivery,
    ShownSuppression,
    SuppressionPage,
)
from services.notifications.store import reading
from shared.events.notifications import SuppressionReason
from shared.http import Caller, Role, allow, audited
from shared.postgres import Database

Status = Literal["waiting", "queued", "delivering", "delivered", "acknowledged", "failed", "retracted"]
Reader = Annotated[Caller, allow(Role.PROVIDER, Role.CARE_MANAGER, Role.OPS, Role.AUDITOR)]
Recipient = Annotated[Caller, allow(Role.PROVIDER, Role.CARE_MANAGER, Role.OPS)]
Operator = Annotated[Caller, allow(Role.OPS, Role.PROVIDER)]
Limit = Annotated[int, Query(ge=1, le=500)]


def deliveries_router(database: Database, wake: Wake) -> APIRouter:
    router = APIRouter(tags=["deliveries"])
    _add_lists(router, database)
    _add_one(router, database)
    _add_acts(router, database, wake)
    return router


def _add_lists(router: APIRouter, database: Database) -> None:
    @router.get("/deliveries")
    async def deliveries(  # noqa: PLR0917  (filters of a query string)
        caller: Reader,
        organisation: str | None = None,
        status: Status | None = None,
        endpoint: UUID | None = None,
        encounter: UUID | None = None,
        patient: str | None = None,
        event: UUID | None = None,
        before: int | None = None,
        limit: Limit = 50,
    ) -> DeliveryPage:
        rows = await reading.listed(
            database.pool,
            organisation=caller.organisation or organisation,
            status=status,
            endpoint=endpoint,
            encounter=encounter,
            patient=patient,
            event=event,
            before=before,
            limit=limit,
            facilities=caller.facilities,
        )
        return DeliveryPage(items=[ShownDelivery(**row) for row in rows], next_before=_next(rows, limit))

    @router.get("/suppressed")
    async def suppressed(
        caller: Reader,
        reason: SuppressionReason | None = None,
        organisation: str | None = None,
        encounter: UUID | None = None,
        event: UUID | None = None,
        before: int | None = None,
        limit: Limit = 50,
    ) -> SuppressionPage:
        rows = await reading.suppressed(
            database.pool,
            reason=reason,
            organisation=caller.organisation or organisation,
            encounter=encounter,
            event=event,
            before=before,
            limit=limit,
            facilities=caller.facilities,
        )
        return SuppressionPage(items=[ShownSuppression(**row) for row in rows], next_before=_next(rows, limit))


def _add_one(router: APIRouter, database: Database) -> None:
    @router.get("/deliveries/{delivery_id}")
    async def delivery(delivery_id: UUID, caller: Reader) -> DeliveryWithAttempts:
        async with database.pool.acquire() as connection:
            row = await reading.one(connection, delivery_id)
            if row is None or not may_see(caller, row):
                raise no_such_delivery()
            history = await reading.attempts(connection, delivery_id)
        return DeliveryWithAttempts(delivery=ShownDelivery(**row), history=[_attempt(one) for one in history])


def _add_acts(router: APIRouter, database: Database, wake: Wake) -> None:
    @router.post("/deliveries/{delivery_id}/acknowledge")
    async def acknowledged(delivery_id: UUID, caller: Recipient, request: Request) -> ShownDelivery:
        """Somebody at the recipient has taken it on. Repeating it changes nothing."""
        async with database.transaction() as tx:
            row = await acknowledge(tx, caller, delivery_id)
            await audited(tx.connection, caller, "delivery.acknowledge", [row["patient_id"]], request)
        return ShownDelivery(**row)

    @router.post("/deliveries/{delivery_id}/redeliver", status_code=202)
    async def redelivered(delivery_id: UUID, caller: Operator, request: Request) -> ShownDelivery:
        async with database.transaction() as tx:
            row = await redeliver(tx, caller, delivery_id)
            await audited(tx.connection, caller, "delivery.redeliver", [row["patient_id"]], request)
        wake()
        return ShownDelivery(**row)


def _next(rows: list[Any], limit: int) -> int | None:
    return rows[-1]["position"] if len(rows) == limit else None


def _attempt(row: Any) -> ShownAttempt:
    return ShownAttempt(**row, answer=(row["body"] or b"").decode(errors="replace"))

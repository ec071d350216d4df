"""The whole notice, fetched by its id: what a thin body points to. Names stand in it, so each read is audited."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request

from services.notifications.acting import may_see, no_such_delivery
from services.notifications.notices import provider_notice
from services.notifications.store import reading
from shared.events.notifications import ProviderNotice
from shared.http import Caller, Role, allow, audited_read
from shared.postgres import Database

Recipient = Annotated[Caller, allow(Role.PROVIDER, Role.CARE_MANAGER, Role.AUDITOR)]


def notices_router(database: Database) -> APIRouter:
    router = APIRouter(tags=["notices"])

    @router.get("/notices/{notice_id}", response_model_exclude_none=True)
    async def notice(notice_id: UUID, caller: Recipient, request: Request) -> ProviderNotice:
        async with database.transaction() as tx:
            row = await reading.notice(tx.connection, notice_id)
            if row is None or not may_see(caller, row):
                raise no_such_delivery()
            await audited_read(tx.connection, caller, "notice.read", [row["patient_id"]], request)
        return provider_notice(row, body="full")

    return router

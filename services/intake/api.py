"""The routes of intake: messages in and looked at, patients and encounters."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from services.intake import log_store, store
from services.intake.acknowledgement import acknowledge
from services.intake.arrival import is_json, read_arrival
from services.intake.describing import describe
from services.intake.feeds import FeedDirectory
from services.intake.message import Outcome, Reason
from services.intake.offering import settle
from services.intake.receiving import Reception
from services.intake.replaying import replay
from services.intake.sealing import Seal
from shared.http import Caller, Problem, Role, StrictModel, allow, audited, audited_read
from shared.postgres import Database

HL7 = "application/hl7-v2"
Sender = Annotated[Caller, allow(Role.INTEGRATION)]
Reader = Annotated[Caller, allow(Role.OPS, Role.AUDITOR)]
Operator = Annotated[Caller, allow(Role.OPS)]
Carer = Annotated[Caller, allow(Role.CARE_MANAGER, Role.OPS)]
Limit = Annotated[int, Query(ge=1, le=200)]


class Filters(StrictModel):
    """All ids are opaque; `visit` is an encounter's id. `next` of a page is the `before` of the following one."""

    feed: str | None = Field(default=None, max_length=100)
    outcome: Outcome | None = None
    control_id: str | None = Field(default=None, max_length=200)
    trigger: str | None = Field(default=None, max_length=20)
    patient: str | None = Field(default=None, max_length=64)
    visit: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: UUID | None = None
    limit: int = Field(default=50, ge=1, le=200)


class ReplayRequest(StrictModel):
    version: int | None = None


class SkipRequest(StrictModel):
    reason: str = Field(min_length=3, max_length=300)
    version: int | None = None


def messages_router(database: Database, feeds: FeedDirectory, reception: Reception, seal: Seal) -> APIRouter:
    router = APIRouter(tags=["messages"])
    _add_sending(router, feeds, reception)
    _add_looking(router, database)
    _add_raw(router, database, seal)
    _add_deciding(router, database, feeds, reception, seal)
    return router


def _add_sending(router: APIRouter, feeds: FeedDirectory, reception: Reception) -> None:
    @router.post("/messages")
    async def send(request: Request, _caller: Sender) -> Response:
        """Takes one message and answers its acknowledgement: 200 when positive, 422 when negative."""
        raw = await request.body()
        if not raw:
            raise Problem(422, "The body must be one HL7 v2 message", slug="empty-body")
        host = request.client.host if request.client else ""
        arrival = read_arrival(raw, feeds, host)
        verdict = await settle(reception, arrival)
        acks = acknowledge(arrival.heading, verdict, datetime.now(UTC))
        headers = {"X-Message-Id": str(arrival.id)} if verdict.outcome is not Outcome.DUPLICATE else {}
        if not acks:
            return Response(status_code=204, headers=headers)
        return Response(acks[-1], 200 if verdict.code == "AA" else 422, headers, HL7)


def _add_looking(router: APIRouter, database: Database) -> None:
    @router.get("/messages")
    async def messages(filters: Annotated[Filters, Query()], _caller: Reader) -> dict[str, Any]:
        wanted = filters.model_dump(exclude_none=True, exclude={"before", "limit"})
        async with database.pool.acquire() as connection:
            items = await log_store.messages(connection, wanted, filters.before, filters.limit)
        return {"items": items, "next": items[-1]["id"] if len(items) == filters.limit else None}

    @router.get("/held")
    async def held(_caller: Reader, before: UUID | None = None, limit: Limit = 50) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            items = await log_store.messages(connection, {"outcome": Outcome.HELD.value}, before, limit)
        return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}

    @router.get("/messages/{message_id}")
    async def message(message_id: UUID, _caller: Reader) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            found = await log_store.message(connection, message_id)
        if found is None:
            raise Problem(404, "No such message")
        return found


def _add_raw(router: APIRouter, database: Database, seal: Seal) -> None:
    @router.get("/messages/{message_id}/raw")
    async def raw(message_id: UUID, caller: Reader, request: Request) -> Response:
        """The bytes as they came. Every look is in the audit log."""
        async with database.pool.acquire() as connection:
            row = await log_store.sealed(connection, message_id)
            if row is None:
                raise Problem(404, "No such message")
            subject = row["patient_id"] or f"message {message_id}"
            await audited_read(connection, caller, "message.raw", [subject], request)
        content = seal.open(row["raw"], message_id)
        return Response(content, media_type="application/json" if is_json(content) else HL7)


def _add_deciding(
    router: APIRouter, database: Database, feeds: FeedDirectory, reception: Reception, seal: Seal
) -> None:
    @router.post("/messages/{message_id}/replay")
    async def replay_message(
        message_id: UUID, caller: Operator, request: Request, body: ReplayRequest | None = None
    ) -> dict[str, Any]:
        """Reads and applies it once more, with the feeds and rules of now; what already took effect can't be."""
        version = body.version if body else None
        verdict = await replay(database, feeds, reception, seal, message_id, version, caller.subject)
        async with database.pool.acquire() as connection:
            await audited(connection, caller, "message.replay", [str(message_id)], request, verdict.outcome.value)
            found = await log_store.message(connection, message_id)
        return found or {}

    @router.post("/messages/{message_id}/skip")
    async def skip(message_id: UUID, body: SkipRequest, caller: Operator, request: Request) -> dict[str, Any]:
        async with database.transaction() as tx:
            reason = Reason.SKIPPED_BY_PERSON.value
            version = await log_store.skip(
                tx.connection, message_id, body.version, reason=reason, note=body.reason, actor=caller.subject
            )
            if version is None:
                raise Problem(409, "It is not held or rejected, or has changed since", slug="stale-version")
            await audited(tx.connection, caller, "message.skip", [str(message_id)], request)
        return {"id": message_id, "version": version, "outcome": Outcome.SKIPPED}


def patients_router(database: Database) -> APIRouter:
    router = APIRouter(tags=["patients"])

    @router.get("/patients/{patient_id}")
    async def patient(patient_id: str, caller: Carer, request: Request) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            survivor = await log_store.survivor_of(connection, patient_id)
            found = (await store.load_patients(connection, [survivor])).get(survivor)
            stays = await store.stays_by_id(connection, await log_store.encounter_ids(connection, survivor))
            shown = [stay for stay in stays if _may_see(caller, stay.identity.facility.code)]
            if found is None or (stays and not shown):
                raise Problem(404, "No such patient")
            await audited_read(connection, caller, "patient.read", [survivor], request)
        merged = {"merged_into": survivor} if survivor != patient_id else {}
        return {"patient": found.summary(), "encounters": [stay.identity.id for stay in shown], **merged}

    @router.get("/encounters/{encounter_id}")
    async def encounter(encounter_id: UUID, caller: Carer, request: Request) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            stays = await store.stays_by_id(connection, [encounter_id])
            if not stays or not _may_see(caller, stays[0].identity.facility.code):
                raise Problem(404, "No such encounter")
            stay = stays[0]
            known = await store.load_patients(connection, [stay.patient_id])
            await audited_read(connection, caller, "encounter.read", [stay.patient_id], request)
        summary = known[stay.patient_id].summary()
        return {
            "encounter": describe(stay.identity, stay.version, stay.state, summary),
            "announced": stay.announced,
        }

    return router


def _may_see(caller: Caller, facility: str) -> bool:
    return not caller.facilities or facility in caller.facilities

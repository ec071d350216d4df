"""The routes of intake: messages in and looked at, patients and encounters."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.intake import log_store, store
from services.intake.acknowledgement import acknowledge
from services.intake.arrival import read_arrival
from services.intake.chart import Stay
from services.intake.describing import describe
from services.intake.feeds import FeedDirectory
from services.intake.log_api import HL7
from services.intake.message import Outcome
from services.intake.offering import must_be_of, settle
from services.intake.receiving import Reception
from shared.http import Caller, Problem, Role, allow, audited_read
from shared.postgres import Database

Sender = Annotated[Caller, allow(Role.INTEGRATION)]
Carer = Annotated[Caller, allow(Role.CARE_MANAGER, Role.OPS)]


def messages_router(feeds: FeedDirectory, reception: Reception) -> APIRouter:
    router = APIRouter(tags=["messages"])
    _add_sending(router, feeds, reception)
    return router


def _add_sending(router: APIRouter, feeds: FeedDirectory, reception: Reception) -> None:
    @router.post("/messages")
    async def send(request: Request, caller: Sender) -> Response:
        """Takes one message and answers its acknowledgement: 200 when positive, 422 when negative. Who is bound to
        facilities sends for these alone.
        """
        raw = await request.body()
        if not raw:
            raise Problem(422, "The body must be one HL7 v2 message", slug="empty-body")
        host = request.client.host if request.client else ""
        arrival = read_arrival(raw, feeds, host)
        if arrival.feed is not None:
            must_be_of(arrival.feed, caller)
        verdict = await settle(reception, arrival)
        acks = acknowledge(arrival.heading, verdict, datetime.now(UTC))
        headers = {"X-Message-Id": str(arrival.id)} if verdict.outcome is not Outcome.DUPLICATE else {}
        if not acks:
            return Response(status_code=204, headers=headers)
        return Response(acks[-1], 200 if verdict.code == "AA" else 422, headers, HL7)


def patients_router(database: Database) -> APIRouter:
    router = APIRouter(tags=["patients"])

    @router.get("/patients/{patient_id}")
    async def patient(patient_id: str, caller: Carer, request: Request) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            survivor = await log_store.survivor_of(connection, patient_id)
            found = (await store.load_patients(connection, [survivor])).get(survivor)
            stays = await store.stays_by_id(connection, await log_store.encounter_ids(connection, survivor))
            shown = [stay for stay in stays if _may_see(caller, stay)]
            if found is None or ((stays or caller.is_bound) and not shown):
                raise Problem(404, "No such patient")
            await audited_read(connection, caller, "patient.read", [survivor], request)
        merged = {"merged_into": survivor} if survivor != patient_id else {}
        return {"patient": found.summary(), "encounters": [stay.identity.id for stay in shown], **merged}

    @router.get("/encounters/{encounter_id}")
    async def encounter(encounter_id: UUID, caller: Carer, request: Request) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            stays = await store.stays_by_id(connection, [encounter_id])
            if not stays or not _may_see(caller, stays[0]):
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


def _may_see(caller: Caller, stay: Stay) -> bool:
    return caller.sees(stay.identity.facility.code, stay.state.said.get("pcp_organisation"))

"""The routes of risk: a stay's scores with their inputs, computed from what is known now; and what people add to it."""

from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import Field

from services.transitions.answers import unknown
from services.transitions.risk import store
from services.transitions.risk.scores import SCORES, Inputs
from shared.calendar import local_date
from shared.events.transitions import Transition
from shared.http import Caller, Role, StrictModel, allow, audited, audited_read
from shared.postgres import Database

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

Reader = Annotated[Caller, allow(Role.CARE_MANAGER, Role.AUDITOR)]
CareManager = Annotated[Caller, allow(Role.CARE_MANAGER)]


class Known(StrictModel):
    """What no message said: haemoglobin in g/dL, sodium in mmol/L, the last ones before the discharge."""

    acute: bool | None = None
    oncology: bool | None = None
    procedure: bool | None = None
    haemoglobin: Decimal | None = Field(default=None, gt=0, lt=30)
    sodium: Decimal | None = Field(default=None, gt=80, lt=200)


def risk_router(database: Database) -> APIRouter:
    router = APIRouter(tags=["risk"])

    @router.get("/transitions/{transition_id}/risk")
    async def risk(transition_id: UUID, caller: Reader, request: Request) -> dict[str, Any]:
        """Every score; provisional while the stay goes on or an input is missing, with how far it may move."""
        async with database.pool.acquire() as connection:
            stay, inputs = await _inputs(connection, transition_id, caller)
            await audited_read(connection, caller, "risk opened", [stay.patient.id], request)
        return {"inputs": inputs.kept(), "scores": {name: asdict(score(inputs)) for name, score in SCORES.items()}}

    @router.put("/transitions/{transition_id}/risk")
    async def say(transition_id: UUID, body: Known, caller: CareManager, request: Request) -> dict[str, Any]:
        """Adds what is known; the scores are computed anew."""
        async with database.transaction() as tx:
            stay, _ = await _inputs(tx.connection, transition_id, caller)
            told = body.model_dump(mode="json", exclude_none=True)
            await store.say(tx.connection, transition_id, told, caller.subject)
            _, inputs = await _inputs(tx.connection, transition_id, caller)
            await audited(tx.connection, caller, "risk input said", [stay.patient.id], request)
        return {"inputs": inputs.kept(), "scores": {name: asdict(score(inputs)) for name, score in SCORES.items()}}

    return router


async def _inputs(connection: "Connection", transition_id: UUID, caller: Caller) -> tuple[Transition, Inputs]:
    row = await store.stay(connection, transition_id)
    stay = Transition.model_validate_json(row["body"]) if row else None
    if row is None or stay is None or not caller.sees(stay.facility.code, stay.pcp_organisation):
        raise unknown()
    said = Known.model_validate(await store.said(connection, transition_id))
    visits = admissions = None
    if stay.admitted_at is not None:
        visits, admissions = await store.before(connection, row["patient_id"], transition_id, stay.admitted_at)
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    known = said.model_dump()
    return stay, Inputs(
        days=_days(stay, now),
        is_over=stay.discharged_at is not None,
        diagnoses=tuple(diagnosis.code for diagnosis in stay.diagnoses),
        visits=visits,
        admissions=admissions,
        **known,
    )


def _days(stay: Transition, now: datetime) -> int | None:
    """Local dates apart: of admission and discharge, or today while the stay goes on."""
    if stay.admitted_at is None:
        return None
    zone = stay.facility.time_zone
    return (local_date(stay.discharged_at or now, zone) - local_date(stay.admitted_at, zone)).days

"""The routes of risk: a stay's scores with their inputs, computed from what is known now; and what people add to it."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import Field

from services.transitions.answers import act_of, answered, unknown
from services.transitions.followed import Followed
from services.transitions.protocols import Library
from services.transitions.risk import store
from services.transitions.risk.weighing import say as add
from services.transitions.store import following, worklists
from services.transitions.transition import settle
from shared.http import Caller, Role, StrictModel, allow, audited, audited_read
from shared.postgres import Database

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

Reader = Annotated[Caller, allow(Role.CARE_MANAGER, Role.AUDITOR)]
CareManager = Annotated[Caller, allow(Role.CARE_MANAGER)]
KEPT_SHOWN = 100


class Known(StrictModel):
    """What no message said: haemoglobin in g/dL, sodium in mmol/L, the last ones before the discharge."""

    acute: bool | None = None
    oncology: bool | None = None
    procedure: bool | None = None
    haemoglobin: Decimal | None = Field(default=None, gt=0, lt=30)
    sodium: Decimal | None = Field(default=None, gt=80, lt=200)


def risk_router(database: Database, library: Library) -> APIRouter:
    router = APIRouter(tags=["risk"])

    @router.get("/transitions/{transition_id}/risk")
    async def risk(transition_id: UUID, caller: Reader, request: Request) -> dict[str, Any]:
        """Every score as it is now; provisional while the stay goes on or an input is missing, with how far it may
        move. `kept` are the scores as they were said, each with its inputs.
        """
        async with database.pool.acquire() as connection:
            followed = await _now(connection, library, transition_id, caller)
            kept = await store.kept(connection, transition_id, KEPT_SHOWN)
            await audited_read(connection, caller, "risk opened", [followed.transition.patient.id], request)
        return _shown(followed) | {"kept": kept}

    @router.put("/transitions/{transition_id}/risk")
    async def say(transition_id: UUID, body: Known, caller: CareManager, request: Request) -> dict[str, Any]:
        """Adds what is known; the scores are computed anew, and said where they changed."""
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, None)
            told = body.model_dump(mode="json", exclude_none=True)
            followed = await answered(add(tx, library, transition_id, act, told))
            await audited(tx.connection, caller, "risk input said", [followed.transition.patient.id], request)
        return _shown(followed)

    return router


async def _now(connection: "Connection", library: Library, transition_id: UUID, caller: Caller) -> Followed:
    """The transition with its scores of this moment; nothing is written."""
    place = await worklists.place_of_transition(connection, transition_id)
    if place is None or not caller.sees(place.facility, place.organisation):
        raise unknown()
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    cases = await following.load_cases(connection, library, [place.patient_id], [place.encounter_id], now)
    case = next(case for case in cases.values() if place.encounter_id in case.followed)
    return settle(case, library).followed[place.encounter_id]


def _shown(followed: Followed) -> dict[str, Any]:
    return {
        "inputs": dict(followed.weighed.inputs),
        "scores": {score.name: score.model_dump(mode="json") for score in followed.weighed.scores},
        "steers": followed.transition.risk,
    }

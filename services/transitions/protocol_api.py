"""The routes of protocols: which are in force, what a draft would change, and why a task is due when it is."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import Field

from services.transitions.answers import unknown
from services.transitions.due import days_counted
from services.transitions.protocols import Library, WrongProtocolError, read_draft
from services.transitions.simulating import simulate
from services.transitions.store import timers
from services.transitions.store.timers import Clocked
from services.transitions.task_rule import Anchor
from shared.http import Caller, Problem, Role, StrictModel, allow, audited_read
from shared.postgres import Database

Designer = Annotated[Caller, allow(Role.OPS, Role.CARE_MANAGER)]
Reader = Annotated[Caller, allow(Role.CARE_MANAGER, Role.AUDITOR)]
LONGEST_FILE = 200_000


class DraftedProtocol(StrictModel):
    """`text` is the protocol's file; `days` how far back stays are taken."""

    text: str = Field(min_length=1, max_length=LONGEST_FILE)
    file: str = Field(default="draft.yaml", max_length=100, pattern=r"^[A-Za-z0-9._-]+$")
    days: int = Field(default=90, ge=1, le=400)


def protocols_router(database: Database, library: Library) -> APIRouter:
    router = APIRouter(tags=["protocols"])
    one_at_a_time = asyncio.Semaphore(1)

    @router.get("/protocols")
    async def protocols(_caller: Designer) -> dict[str, Any]:
        """Those in force, whole: triggers, tasks, due rules, windows, evidence and ladders with their sources."""
        items = [protocol.model_dump(mode="json", exclude_defaults=True) for protocol in library.current]
        return {"edition": library.edition, "items": items}

    @router.post("/protocols/simulate")
    async def simulated(body: DraftedProtocol, _caller: Designer) -> dict[str, Any]:
        """What the draft would change on the stays recorded here; counts only, nothing is activated or written. One at
        a time: it takes the service's own processor.
        """
        try:
            draft = read_draft(body.file, body.text, library)
        except WrongProtocolError as wrong:
            raise Problem(422, "The protocol can't be used", str(wrong), slug="wrong-protocol", field="text") from None
        if one_at_a_time.locked():
            raise Problem(429, "Another draft is simulated now", slug="simulating", headers={"Retry-After": "10"})
        async with one_at_a_time, database.transaction() as tx:
            compared = await simulate(tx.connection, library, draft, days=body.days, now=await tx.now())
        return {"protocol": {"name": draft.name, "version": draft.version}, **compared.told()}

    @router.get("/tasks/{task_id}/why")
    async def why(task_id: UUID, caller: Reader, request: Request) -> dict[str, Any]:
        """Which rule gave the due time, and every day that was counted or left out."""
        async with database.pool.acquire() as connection:
            found = (await timers.load_clocked(connection, library, {task_id})).get(task_id)
            stay = found.transition if found else None
            if found is None or stay is None or not caller.sees(stay.facility.code, stay.pcp_organisation):
                raise unknown()
            await audited_read(connection, caller, "task explained", [found.transition.patient.id], request)
        return explained(found, library)

    return router


def explained(found: Clocked, library: Library) -> dict[str, Any]:
    """The rule, the anchor, and the days on the way from one to the other."""
    stay, task, rule = found.transition, found.obligation.task, found.obligation.rule
    anchors = {
        Anchor.ADMISSION: stay.admitted_at,
        Anchor.EXPECTED_DISCHARGE: stay.expected_discharge_at or stay.discharged_at,
        Anchor.DISCHARGE: stay.discharged_at,
        Anchor.REQUEST: task.asked_at,
    }
    at = anchors[rule.due.anchor]
    days = days_counted(rule.due, at, stay.facility, closed=library.closed(stay.facility.code)) if at else ()
    return {
        "task_id": task.id,
        "code": task.code,
        "protocol": task.protocol,
        "rule": rule.due.model_dump(mode="json", exclude_defaults=True) | {"anchor": rule.due.anchor},
        "source": rule.source,
        "anchored_at": at,
        "time_zone": stay.facility.time_zone,
        "days": [{"day": day.day, "counted": day.number, "why": day.why} for day in days],
        "due_at": task.due_at,
        "explained": task.due_explained,
        "tell_from": task.tell_from,
        "owed_until": task.owed_until,
        "rests_until": task.rests_until,
    }

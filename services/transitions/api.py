"""The routes of transitions: lists, one transition now or as it was known then, and deeds recorded."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import Field

from services.transitions import acting
from services.transitions.answers import Instant, act_of, answered, must_be_past, place_in, unknown
from services.transitions.protocols import Library
from services.transitions.store import known, tasklists, worklists
from services.transitions.store.worklists import TransitionsWanted
from services.transitions.worklist_api import CareManager, Limit, Once, Reader, Seen, Word
from shared.events.followups import (
    ContactAttempted,
    ContactMade,
    FollowUpFact,
    HandoffReceived,
    MedicationReconciled,
    TaughtBack,
)
from shared.events.transitions import Transition, TransitionStatus
from shared.http import Caller, Problem, StrictModel, audited, audited_read
from shared.postgres import Database

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

HISTORY_SHOWN = 500


class Contact(StrictModel):
    """`at` is when it was made or tried, with its offset; it may not lie in the future."""

    kind: Literal["attempted", "made"]
    channel: Word = "phone"
    with_whom: Word = "patient"
    at: Instant


class Reconciliation(StrictModel):
    by_role: Word
    at: Instant


class TeachBack(StrictModel):
    """What was taught and what the patient or caregiver said in own words."""

    topic: Word
    result: Literal["understood", "retaught", "needs-follow-up"]
    by_role: Word | None = None
    with_whom: Word = "patient"
    at: Instant


class Synthesis(StrictModel):
    received_by: Word
    organisation: Word | None = None
    illness_severity: Literal["stable", "watcher", "unstable"] | None = None
    synthesis: Annotated[str, Field(min_length=1, max_length=2000)]
    at: Instant


def transitions_router(database: Database, library: Library) -> APIRouter:
    router = APIRouter(tags=["transitions"])
    _add_reading(router, database)
    _add_one(router, database)
    _add_records(router, database, library)
    return router


def _add_reading(router: APIRouter, database: Database) -> None:
    @router.get("/transitions")
    async def transitions(
        caller: Reader,
        request: Request,
        status: TransitionStatus | None = None,
        facility: str | None = None,
        patient: str | None = None,
        review: bool = False,  # noqa: FBT001, FBT002
        before: str | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Last changed first; `review` lists old news that nobody was told of and nobody has looked at."""
        wanted = TransitionsWanted(
            status=status.value if status else None,
            facility=facility,
            facilities=tuple(sorted(caller.facilities)),
            organisation=caller.organisation,
            patient=patient,
            to_review=review,
            before=place_in("before", before),
            limit=limit,
        )
        async with database.pool.acquire() as connection:
            items = await worklists.transitions(connection, wanted)
            shown = [item["transition"].patient.id for item in items]
            await audited_read(connection, caller, "transitions listed", shown, request)
        last = items[-1] if len(items) == limit else None
        return {"items": items, "next": f"{last['changed_at'].isoformat()}_{last['transition'].id}" if last else None}


def _add_one(router: APIRouter, database: Database) -> None:
    @router.get("/transitions/{transition_id}")
    async def transition(
        transition_id: UUID, caller: Reader, request: Request, known_at: Instant | None = None
    ) -> dict[str, Any]:
        """As it stands; with `known_at`, as it was known here at that instant, whatever was heard of it since."""
        async with database.pool.acquire() as connection:
            now = await worklists.transition(connection, transition_id)
            if now is None or not _may_see(caller, now["transition"]):
                raise unknown()
            found = await (_known(connection, transition_id, known_at) if known_at else _now(connection, now))
            shown = [now["transition"].patient.id]
            await audited_read(connection, caller, "transition opened", shown, request)
        return found

    @router.get("/transitions/{transition_id}/evidence")
    async def evidence(
        transition_id: UUID, caller: Reader, request: Request, known_at: Instant | None = None
    ) -> dict[str, Any]:
        """What was done for the patient since the stay began: when, when it was recorded, when it was known here."""
        async with database.transaction() as tx:
            now = await worklists.transition(tx.connection, transition_id)
            if now is None or not _may_see(caller, now["transition"]):
                raise unknown()
            at = known_at or await tx.now()
            items = await known.evidence(tx.connection, transition_id, at, HISTORY_SHOWN)
            shown = [now["transition"].patient.id]
            await audited_read(tx.connection, caller, "evidence listed", shown, request)
        return {"items": items, "known_at": at}


def _may_see(caller: Caller, transition: Transition) -> bool:
    return caller.sees(transition.facility.code, transition.pcp_organisation)


async def _now(connection: "Connection", found: Mapping[str, Any]) -> dict[str, Any]:
    transition_id = found["transition"].id
    return {
        **found,
        "tasks": await worklists.tasks_of(connection, transition_id),
        "history": await worklists.history_of(connection, transition_id, HISTORY_SHOWN),
        "comments": await tasklists.comments_of(connection, transition_id),
    }


async def _known(connection: "Connection", transition_id: UUID, known_at: datetime) -> dict[str, Any]:
    found = await known.transition(connection, transition_id, known_at)
    if found is None:
        raise Problem(404, "Nothing was known of it then", slug="not-known-then")
    return {
        **found,
        "known_at": known_at,
        "tasks": await known.tasks(connection, transition_id, known_at),
        "history": await known.history(connection, transition_id, known_at, HISTORY_SHOWN),
    }


def _add_records(router: APIRouter, database: Database, library: Library) -> None:
    async def recorded(
        transition_id: UUID, caller: Caller, request: Request, key: str | None, fact: type[FollowUpFact], **said: Any
    ) -> Transition:
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, key)
            must_be_past(said["at"], act.at)
            transition = await answered(acting.record(tx, library, transition_id, act, fact, **said))
            await audited(tx.connection, caller, "deed recorded", [transition.patient.id], request)
        return transition

    @router.post("/transitions/{transition_id}/contacts", status_code=201)
    async def contact(
        transition_id: UUID, body: Contact, caller: CareManager, request: Request, key: Once = None
    ) -> Transition:
        fact: type[FollowUpFact] = ContactMade if body.kind == "made" else ContactAttempted
        said = {"channel": body.channel, "with_whom": body.with_whom, "at": body.at}
        return await recorded(transition_id, caller, request, key, fact, **said)

    @router.post("/transitions/{transition_id}/medication-reconciliation", status_code=201)
    async def medication_reconciliation(
        transition_id: UUID, body: Reconciliation, caller: CareManager, request: Request, key: Once = None
    ) -> Transition:
        said = {"by_role": body.by_role, "at": body.at}
        return await recorded(transition_id, caller, request, key, MedicationReconciled, **said)

    @router.post("/transitions/{transition_id}/teach-back", status_code=201)
    async def teach_back(
        transition_id: UUID, body: TeachBack, caller: CareManager, request: Request, key: Once = None
    ) -> Transition:
        said = {"subject_matter": body.topic} | body.model_dump(exclude={"at", "topic"})
        return await recorded(transition_id, caller, request, key, TaughtBack, at=body.at, **said)

    @router.post("/transitions/{transition_id}/handoff", status_code=201)
    async def handoff(
        transition_id: UUID, body: Synthesis, caller: CareManager, request: Request, key: Once = None
    ) -> Transition:
        """The receiver said back what was handed over (I-PASS)."""
        said = body.model_dump(exclude={"at"})
        return await recorded(transition_id, caller, request, key, HandoffReceived, at=body.at, **said)

    @router.post("/transitions/{transition_id}/review")
    async def review(transition_id: UUID, body: Seen, caller: CareManager, request: Request) -> Transition:
        async with database.transaction() as tx:
            act = await act_of(tx, caller, request, None)
            transition = await answered(acting.review(tx, library, transition_id, body.version, act))
            await audited(tx.connection, caller, "transition reviewed", [transition.patient.id], request)
        return transition

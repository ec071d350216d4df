"""The routes of identity: pairs to review, joins to undo, overlays to decide, figures."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import Field

from services.intake import store as intake_store
from services.intake.correcting import Corrector
from services.intake.feeds import FeedDirectory
from services.intake.identity import joins, review_store
from services.intake.identity import store as identity_store
from services.intake.identity.reviewing import Decision, Overlay, decide_overlay, decide_pair
from services.intake.identity.splitting import split
from services.intake.message import Reason
from services.intake.receiving import Reception
from services.intake.sealing import Seal
from shared.http import Caller, Problem, Role, StrictModel, allow, audited, audited_read
from shared.postgres import Database

Reader = Annotated[Caller, allow(Role.OPS, Role.AUDITOR, unbound=True)]
Operator = Annotated[Caller, allow(Role.OPS, unbound=True)]
Limit = Annotated[int, Query(ge=1, le=200)]
State = Annotated[str, Query(pattern="^(review|later|linked|distinct)$")]
HELD_REASONS = [
    reason.value for reason in (Reason.OVERLAY_SUSPECTED, Reason.MERGE_CYCLE, Reason.VISIT_OF_ANOTHER_PATIENT)
]


class PairDecision(StrictModel):
    """`version` is the pair's as it was looked at."""

    decision: Decision
    version: int
    note: str | None = Field(default=None, max_length=300)


class OverlayDecision(StrictModel):
    decision: Overlay
    version: int
    note: str = Field(min_length=3, max_length=300)


class Undoing(StrictModel):
    version: int
    reason: str = Field(min_length=3, max_length=300)


def identity_router(database: Database, feeds: FeedDirectory, reception: Reception, seal: Seal) -> APIRouter:
    router = APIRouter(prefix="/identity", tags=["identity"])
    _add_pairs(router, database)
    _add_deciding(router, database)
    _add_joins(router, database, feeds, seal)
    _add_overlays(router, database, Corrector(database, feeds, seal), reception)
    return router


def _add_pairs(router: APIRouter, database: Database) -> None:
    @router.get("/pairs")
    async def pairs(
        _caller: Reader, state: State = "review", score: float | None = None, after: UUID | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:  # fmt: skip
        """Pairs by score, with the explanation and no names; `next` holds `score` and `after` of the next page."""
        start = (score, after) if score is not None and after is not None else None
        async with database.pool.acquire() as connection:
            items = await review_store.pairs(connection, state, start, limit)
        last = items[-1] if len(items) == limit else None
        return {"items": items, "next": {"score": last["score"], "after": last["id"]} if last else None}

    @router.get("/pairs/{pair_id}")
    async def pair(pair_id: UUID, _caller: Reader) -> dict[str, Any]:
        """The score by field, without values or names."""
        async with database.pool.acquire() as connection:
            found = await review_store.pair(connection, pair_id)
        if found is None:
            raise Problem(404, "No such pair")
        return found

    @router.get("/figures")
    async def figures(_caller: Reader) -> dict[str, int]:
        """How many pairs, joins and held messages there are, by kind."""
        async with database.pool.acquire() as connection:
            return await review_store.counts(connection, HELD_REASONS)


def _add_deciding(router: APIRouter, database: Database) -> None:
    @router.get("/pairs/{pair_id}/people")
    async def people_of(pair_id: UUID, caller: Operator, request: Request) -> dict[str, Any]:
        """Both people side by side. Every look is in the audit log."""
        async with database.pool.acquire() as connection:
            found = await review_store.pair(connection, pair_id)
            if found is None:
                raise Problem(404, "No such pair")
            surviving = await identity_store.survivors(connection, [found["one"], found["other"]])
            who = list(dict.fromkeys(surviving.values()))
            people = await intake_store.load_patients(connection, who)
            places = await review_store.places(connection, who)
            await audited_read(connection, caller, "identity.pair", who, request)
        sides = [
            {"patient": people[one].summary(), **places.get(one, {"facilities": [], "stays": 0, "latest": None})}
            for one in who
            if one in people
        ]
        return {"people": sides}

    @router.post("/pairs/{pair_id}/decide")
    async def decide(pair_id: UUID, body: PairDecision, caller: Operator, request: Request) -> dict[str, Any]:
        """Link them, say that they are two, or leave it for later."""
        async with database.transaction() as tx:
            version = await decide_pair(tx, pair_id, body.decision, body.version, by=caller.subject, note=body.note)
            await audited(tx.connection, caller, f"identity.{body.decision}", [str(pair_id)], request)
        return {"id": pair_id, "version": version, "decision": body.decision}


def _add_joins(router: APIRouter, database: Database, feeds: FeedDirectory, seal: Seal) -> None:
    @router.get("/joins")
    async def all_joins(_caller: Reader, before: UUID | None = None, limit: Limit = 50) -> dict[str, Any]:
        """Merges and links, the latest first, with what undoing them came to."""
        async with database.pool.acquire() as connection:
            items = await joins.listed(connection, before, limit)
        return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}

    @router.post("/joins/{join_id}/undo")
    async def undo(join_id: UUID, body: Undoing, caller: Operator, request: Request) -> dict[str, Any]:
        """Un-merges: the retired record goes on under a patient id of its own, and every service is told."""
        async with database.transaction() as tx:
            restored = await split(tx, feeds, seal, join_id, body.version, by=caller.subject, reason=body.reason)
            await audited(tx.connection, caller, "identity.undo", [restored], request)
        return {"id": join_id, "restored": restored}


def _add_overlays(router: APIRouter, database: Database, corrector: Corrector, reception: Reception) -> None:
    @router.post("/overlays/{message_id}/decide")
    async def decide(message_id: UUID, body: OverlayDecision, caller: Operator, request: Request) -> dict[str, Any]:
        """Says whether a held message corrects the person or names another one."""
        verdict = await decide_overlay(
            database, corrector, reception, message_id,
            decision=body.decision, version=body.version, by=caller.subject, note=body.note,
        )  # fmt: skip
        async with database.pool.acquire() as connection:
            await audited(connection, caller, f"identity.{body.decision}", [str(message_id)], request)
        return {"id": message_id, "outcome": verdict.outcome}

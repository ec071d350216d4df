"""The routes of deciding about stored messages: read them again, see first what would differ, skip them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import Field

from services.intake import log_store, move_store, replay_store
from services.intake.correcting import Corrector, StaleMessageError
from services.intake.correction import Logged
from services.intake.log_api import Filters
from services.intake.message import Outcome, Reason
from services.intake.receiving import Reception
from services.intake.replay_runs import ReplayRuns, difference_of
from services.intake.replaying import replay
from shared.http import Caller, Problem, Role, StrictModel, allow, audited
from shared.postgres import Database

Reader = Annotated[Caller, allow(Role.OPS, Role.AUDITOR, unbound=True)]
Operator = Annotated[Caller, allow(Role.OPS, unbound=True)]
MOST = 1_000_000


class ReplayRequest(StrictModel):
    """`dry_run` answers what would differ and changes nothing."""

    version: int | None = None
    dry_run: bool = False


class ReplaysRequest(Filters):
    """The messages that fit now, the oldest first. Dry unless told otherwise."""

    dry_run: bool = True


class SkipRequest(StrictModel):
    reason: str = Field(min_length=3, max_length=300)
    version: int | None = None


def replay_router(database: Database, corrector: Corrector, reception: Reception, runs: ReplayRuns) -> APIRouter:
    router = APIRouter(tags=["replay"])
    _add_single(router, database, corrector, reception)
    _add_skip(router, database)
    _add_asking(router, database, runs)
    _add_following(router, database)
    return router


def _add_single(router: APIRouter, database: Database, corrector: Corrector, reception: Reception) -> None:
    @router.post("/messages/{message_id}/replay")
    async def replay_message(
        message_id: UUID, caller: Operator, request: Request, body: ReplayRequest | None = None
    ) -> dict[str, Any]:
        """Reads and applies it once more, with the feeds and rules of now. Of what took effect, only differences are
        said.
        """
        asked = body or ReplayRequest()
        found = await corrector.read([message_id])
        if not found:
            raise Problem(404, "No such message")
        [message] = found
        if asked.version not in {None, message.version}:
            raise Problem(409, "It has changed since: look again", slug="stale-version")
        if asked.dry_run:
            [finding] = await corrector.look(found)
            return {"id": message_id, "is_changed": finding.is_changed, "difference": difference_of(finding)}
        if message.outcome is Outcome.ACCEPTED:
            outcome = await _correct(corrector, message, caller.subject)
        else:
            verdict = await replay(database, reception, message, caller.subject)
            outcome = verdict.outcome.value
        async with database.pool.acquire() as connection:
            await audited(connection, caller, "message.replay", [str(message_id)], request, outcome)
            return await log_store.message(connection, message_id) or {}


async def _correct(corrector: Corrector, message: Logged, actor: str) -> str:
    try:
        async with corrector.apply([message], actor) as (_, [finding]):
            if finding.left:
                raise Problem(
                    409, "It took effect, and now it could not be read", f"Reason: {finding.left}", slug="left-as-it-is"
                )
            return "corrected" if finding.is_changed else "unchanged"
    except StaleMessageError:
        raise Problem(409, "It has changed since: look again", slug="stale-version") from None


def _add_skip(router: APIRouter, database: Database) -> None:
    @router.post("/messages/{message_id}/skip")
    async def skip(message_id: UUID, body: SkipRequest, caller: Operator, request: Request) -> dict[str, Any]:
        async with database.transaction() as tx:
            reason = Reason.SKIPPED_BY_PERSON.value
            version = await log_store.skip(
                tx.connection, message_id, body.version, reason=reason, note=body.reason, actor=caller.subject
            )
            if version is None:
                raise Problem(409, "It is not held or rejected, or has changed since", slug="stale-version")
            await move_store.forget(tx.connection, message_id)
            await audited(tx.connection, caller, "message.skip", [str(message_id)], request)
        return {"id": message_id, "version": version, "outcome": Outcome.SKIPPED}


def _add_asking(router: APIRouter, database: Database, runs: ReplayRuns) -> None:
    @router.post("/replays", status_code=202)
    async def ask(body: ReplaysRequest, caller: Operator, request: Request) -> dict[str, Any]:
        """Replays all messages that fit, or, dry, tells what that would change. Goes on beside what arrives."""
        filters = body.chosen()
        async with database.transaction() as tx:
            if (patient := filters.pop("patient", None)) is not None:
                filters["patients"] = await log_store.records_of(tx.connection, str(patient))
            replay_id, total = await replay_store.begin(
                tx.connection, caller.subject, filters, is_dry=body.dry_run, most=MOST
            )
            await audited(tx.connection, caller, "messages.replay", [str(replay_id)], request, _kind(body.dry_run))
        runs.wake()
        return {"id": replay_id, "total": total, "is_dry": body.dry_run, "is_cut": total == MOST}

    @router.post("/replays/{replay_id}/carry-out", status_code=202)
    async def carry_out(replay_id: UUID, caller: Operator, request: Request) -> dict[str, Any]:
        """Does to the very same messages what the dry run has shown."""
        async with database.transaction() as tx:
            dry = await replay_store.replay(tx.connection, replay_id)
            if dry is None:
                raise Problem(404, "No such replay")
            if not dry["is_dry"] or dry["state"] != "done":
                raise Problem(409, "Only a dry run that is done can be carried out", slug="not-a-finished-dry-run")
            made = await replay_store.begin_again(tx.connection, caller.subject, dry)
            await audited(tx.connection, caller, "messages.replay", [str(made)], request, _kind(is_dry=False))
        runs.wake()
        return {"id": made, "total": dry["total"], "is_dry": False}

    @router.post("/replays/{replay_id}/cancel")
    async def cancel(replay_id: UUID, caller: Operator, request: Request) -> dict[str, Any]:
        """Stops it where it is; what has been applied stays applied."""
        async with database.transaction() as tx:
            if not await replay_store.finish(tx.connection, replay_id, "cancelled"):
                raise Problem(409, "It does not run", slug="not-running")
            await audited(tx.connection, caller, "messages.replay", [str(replay_id)], request, "cancelled")
        return {"id": replay_id, "state": "cancelled"}


def _add_following(router: APIRouter, database: Database) -> None:
    @router.get("/replays")
    async def replays(_caller: Reader) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            return {"items": await replay_store.replays(connection)}

    @router.get("/replays/{replay_id}")
    async def one(replay_id: UUID, _caller: Reader) -> dict[str, Any]:
        """How far it is, what it found, and the events that it caused or would cause, by type."""
        async with database.pool.acquire() as connection:
            found = await replay_store.replay(connection, replay_id)
        if found is None:
            raise Problem(404, "No such replay")
        return found

    @router.get("/replays/{replay_id}/differences")
    async def differences(
        replay_id: UUID,
        _caller: Reader,
        after: int = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> dict[str, Any]:
        """Message by message, in the order of reading: those that did not stay as they were."""
        async with database.pool.acquire() as connection:
            items = await replay_store.differences(connection, replay_id, after, limit)
        return {"items": items, "next": items[-1]["place"] if len(items) == limit else None}


def _kind(is_dry: bool) -> str:  # noqa: FBT001  (its own name says it)
    return "dry" if is_dry else "asked"

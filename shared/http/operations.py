"""The routes by which people and the `handoff` command run a service; the same on every one of them.

Auditors may look; only ops may act. Every act is a row in the audit log, in the transaction of the act.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from shared.http.audit import audit_page, audited, verify_audit
from shared.http.model import StrictModel
from shared.http.policy import allow
from shared.http.problems import Problem
from shared.http.roles import Caller, Role
from shared.kafka import Consumer, Relay, operating
from shared.kafka.operating import Hop, StaleVersionError
from shared.kafka.republish import Position, republish
from shared.postgres import Database, Transaction

Snapshot = Callable[[Transaction], Awaitable[int]]
"""Publishes one snapshot event per open aggregate; answers how many."""
HopSource = Callable[[Database], Awaitable[Sequence[Hop]]]
"""Hops that only this service has (deliveries, held messages)."""
# Counts and positions are nobody's; parked patients, acts on the pipeline and the audit log are of the whole house.
Reader = Annotated[Caller, allow(Role.OPS, Role.AUDITOR)]
HouseReader = Annotated[Caller, allow(Role.OPS, Role.AUDITOR, unbound=True)]
Operator = Annotated[Caller, allow(Role.OPS, unbound=True)]
Auditor = Annotated[Caller, allow(Role.AUDITOR, unbound=True)]
Limit = Annotated[int, Query(ge=1, le=500)]


class Decision(StrictModel):
    """`version` is that of the parked key as it was looked at: a decision on an older state is refused."""

    version: int


class ReasonedDecision(Decision):
    reason: str = Field(min_length=3, max_length=300)


class Republish(StrictModel):
    """`log_id` is the broker's log now; `positions` are those of every service, taken before any relay opens."""

    log_id: str = Field(max_length=200)
    positions: tuple[Position, ...] = Field(max_length=10_000)


def operations_router(
    database: Database,
    *,
    consumer: Consumer | None,
    relay: Relay,
    snapshot: Snapshot | None = None,
    own_hops: HopSource | None = None,
) -> APIRouter:
    router = APIRouter(prefix="/operations", tags=["operations"])
    _add_looking(router, database, consumer, relay, own_hops)
    _add_deciding(router, database)
    _add_retelling(router, database, snapshot)
    _add_auditing(router, database)
    return router


def _add_looking(
    router: APIRouter, database: Database, consumer: Consumer | None, relay: Relay, own_hops: HopSource | None
) -> None:
    @router.get("/hops")
    async def hops(_caller: Reader) -> dict[str, Any]:
        found = list(await operating.hops(database, [consumer] if consumer else []))
        if own_hops is not None:
            found += await own_hops(database)
        return {"service": database.service, "hops": found}

    @router.get("/parked")
    async def parked(_caller: HouseReader, limit: Limit = 200) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            return {"items": await operating.parked(connection, limit)}

    @router.get("/dead-letters")
    async def dead_letters(_caller: HouseReader, limit: Limit = 200) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            return {"items": await operating.dead_letters(connection, limit)}

    @router.get("/positions")
    async def positions(_caller: Reader) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            standing = await operating.relay_standing(connection, relay)
            return {
                "service": database.service,
                "relay": standing,
                "positions": await operating.positions(connection),
            }


def _add_deciding(router: APIRouter, database: Database) -> None:
    @router.post("/parked/{consumer}/{subject}/release", status_code=202)
    async def release(consumer: str, subject: str, body: Decision, caller: Operator, request: Request) -> None:
        async with database.transaction() as tx:
            with _stale_is_conflict():
                await operating.release(tx, consumer, subject, body.version)
            await audited(tx.connection, caller, "parked.release", [subject], request)

    @router.post("/parked/{consumer}/{subject}/skip", status_code=202)
    async def skip(consumer: str, subject: str, body: ReasonedDecision, caller: Operator, request: Request) -> None:
        async with database.transaction() as tx:
            with _stale_is_conflict():
                await operating.skip(tx, consumer, subject, body.version, body.reason, caller.subject)
            await audited(tx.connection, caller, "parked.skip", [subject], request)

    @router.post("/parked/{consumer}/{subject}/accept-gap", status_code=202)
    async def accept_gap(
        consumer: str, subject: str, body: ReasonedDecision, caller: Operator, request: Request
    ) -> None:
        async with database.transaction() as tx:
            with _stale_is_conflict():
                await operating.accept_gap(tx, consumer, subject, body.version, body.reason, caller.subject)
            await audited(tx.connection, caller, "parked.accept-gap", [subject], request)


@contextmanager
def _stale_is_conflict() -> Iterator[None]:
    try:
        yield
    except StaleVersionError:
        raise Problem(409, "It has changed since: look again", slug="stale-version") from None


def _add_retelling(router: APIRouter, database: Database, snapshot: Snapshot | None) -> None:
    @router.post("/republish")
    async def publish_again(body: Republish, caller: Operator, request: Request) -> dict[str, int]:
        async with database.transaction() as tx:
            rows = await republish(tx.connection, body.log_id, body.positions)
            await audited(tx.connection, caller, "relay.republish", [], request, outcome=f"{rows} rows")
        database.published.set()
        return {"rows": rows}

    @router.post("/snapshots")
    async def snapshots(caller: Operator, request: Request) -> dict[str, int]:
        if snapshot is None:
            return {"events": 0}
        async with database.transaction() as tx:
            events = await snapshot(tx)
            await audited(tx.connection, caller, "snapshots", [], request, outcome=f"{events} events")
        return {"events": events}

    @router.post("/epoch")
    async def epoch(caller: Operator, request: Request) -> dict[str, int]:
        async with database.transaction() as tx:
            raised = await operating.raise_epoch(tx.connection)
            await audited(tx.connection, caller, "epoch.raise", [], request, outcome=f"epoch {raised}")
        return {"epoch": raised}


def _add_auditing(router: APIRouter, database: Database) -> None:
    @router.get("/audit")
    async def audit(_caller: Auditor, before: int | None = None, limit: Limit = 100) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            return {"items": await audit_page(connection, before, limit)}

    @router.get("/audit/verdict")
    async def verdict(_caller: Auditor) -> dict[str, Any]:
        async with database.pool.acquire() as connection:
            found = await verify_audit(connection)
        return {"rows": found.rows, "head": found.head, "first_bad": found.first_bad}

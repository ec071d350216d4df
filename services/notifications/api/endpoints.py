"""Where an organisation is told: registered by its own system, or by ops for it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import AfterValidator, Field

from services.notifications import coordination
from services.notifications.acting import Wake
from services.notifications.announcing import STAYS
from services.notifications.api.models import NewSecret, ShownEndpoint, Tried
from services.notifications.guarding import RefusedUrlError, check_url
from services.notifications.posting import Poster
from services.notifications.signing import OVERLAP, SecretBox, new_secret, shown
from services.notifications.store import endpoints as store
from services.notifications.store import roster as roster_store
from services.notifications.store import sending
from services.notifications.trying import post_test
from shared.events import Fact, uuid7
from shared.events.transitions import TaskEscalated, TaskOverdue
from shared.http import Caller, Problem, Role, StrictModel, allow, audited
from shared.postgres import Database, Transaction

TASKS: tuple[type[Fact], ...] = (TaskOverdue, TaskEscalated)
SUBSCRIBABLE = frozenset(fact.TYPE for fact in (*STAYS, *TASKS, *coordination.ANNOUNCED))
Registrar = Annotated[Caller, allow(Role.PROVIDER, Role.OPS)]
Reader = Annotated[Caller, allow(Role.PROVIDER, Role.OPS, Role.AUDITOR)]


def _subscribable(event_type: str) -> str:
    if event_type not in SUBSCRIBABLE:
        raise ValueError("no announced event type")
    return event_type


class NewEndpoint(StrictModel):
    """Without `event_types` everything announced is sent, but for plans and follow-ups: they are sent only where their
    types are named. Cancels and corrections follow whatever they concern.
    """

    organisation: str | None = Field(default=None, max_length=62)
    url: str = Field(min_length=1, max_length=2048)
    event_types: tuple[Annotated[str, AfterValidator(_subscribable)], ...] = Field(default=(), max_length=50)
    body: str = Field(default="full", pattern="^(full|thin)$")
    description: str = Field(default="", max_length=200)
    concurrency: int = Field(default=8, ge=1, le=64)


def endpoints_router(database: Database, box: SecretBox, poster: Poster, wake: Wake, *, private: bool) -> APIRouter:
    router = APIRouter(prefix="/endpoints", tags=["endpoints"])
    _add_reading(router, database)
    _add_registering(router, database, box, private=private)
    _add_trying(router, database, box, poster)
    _add_switching(router, database, wake)
    return router


def _add_reading(router: APIRouter, database: Database) -> None:
    @router.get("")
    async def endpoints(caller: Reader, organisation: str | None = None) -> list[ShownEndpoint]:
        rows = await store.listed(database.pool, caller.organisation or organisation)
        return [ShownEndpoint(**row) for row in rows]

    @router.get("/{endpoint_id}")
    async def endpoint(endpoint_id: UUID, caller: Reader) -> ShownEndpoint:
        async with database.transaction() as tx:
            return ShownEndpoint(**await _own(tx, caller, endpoint_id))


def _add_registering(router: APIRouter, database: Database, box: SecretBox, *, private: bool) -> None:
    @router.post("", status_code=201)
    async def register(body: NewEndpoint, caller: Registrar, request: Request) -> NewSecret:
        organisation = _organisation(caller, body)
        url = _checked(body.url, private=private)
        endpoint_id, secret = uuid7(), new_secret()
        async with database.transaction() as tx:
            await _must_be_known(tx, organisation)
            same = await store.with_url(tx.connection, organisation, url)
            if same is not None:
                raise Problem(409, "This URL is registered already", slug="endpoint-exists", endpoint_id=str(same))
            said = (sorted(set(body.event_types)), body.body, body.description, body.concurrency)
            sealed = box.seal(endpoint_id, secret)
            row = await store.add(tx.connection, (endpoint_id, organisation, url, *said, sealed))
            await audited(tx.connection, caller, "endpoint.register", [], request, outcome=str(endpoint_id))
        return NewSecret(**row, secret=shown(secret))

    @router.post("/{endpoint_id}/rotate")
    async def rotate(endpoint_id: UUID, caller: Registrar, request: Request) -> NewSecret:
        secret = new_secret()
        async with database.transaction() as tx:
            _webhook(await _own(tx, caller, endpoint_id))
            row = await store.rotate(tx.connection, endpoint_id, box.seal(endpoint_id, secret), OVERLAP)
            await audited(tx.connection, caller, "endpoint.rotate", [], request, outcome=str(endpoint_id))
        return NewSecret(**(row or {}), secret=shown(secret))


def _add_trying(router: APIRouter, database: Database, box: SecretBox, poster: Poster) -> None:
    @router.post("/{endpoint_id}/test")
    async def try_it(endpoint_id: UUID, caller: Registrar) -> Tried:
        """Posts a notice of nobody, signed like any other. Nothing is kept of it."""
        async with database.transaction() as tx:
            row = _webhook(await _own(tx, caller, endpoint_id))
        answer = await post_test(poster, box, row)
        return Tried(outcome=answer.outcome.value, status=answer.status, latency_ms=answer.latency_ms)


def _add_switching(router: APIRouter, database: Database, wake: Wake) -> None:
    @router.post("/{endpoint_id}/enable")
    async def enable(endpoint_id: UUID, caller: Registrar, request: Request) -> ShownEndpoint:
        """Also what a recipient calls when its server is back: what waits for a later attempt goes out now."""
        async with database.transaction() as tx:
            await _own(tx, caller, endpoint_id)
            row = await store.set_status(tx.connection, endpoint_id, "active", None)
            await sending.hurry(tx.connection, [endpoint_id])
            await audited(tx.connection, caller, "endpoint.enable", [], request, outcome=str(endpoint_id))
        wake()
        return ShownEndpoint(**(row or {}))

    @router.post("/{endpoint_id}/disable")
    async def disable(endpoint_id: UUID, caller: Registrar, request: Request) -> ShownEndpoint:
        return ShownEndpoint(**await _end(endpoint_id, caller, request, "disabled"))

    @router.delete("/{endpoint_id}", status_code=204)
    async def remove(endpoint_id: UUID, caller: Registrar, request: Request) -> None:
        await _end(endpoint_id, caller, request, "deleted")

    async def _end(endpoint_id: UUID, caller: Caller, request: Request, status: str) -> Any:
        async with database.transaction() as tx:
            await _own(tx, caller, endpoint_id)
            row = await store.set_status(tx.connection, endpoint_id, status, "by-hand")
            await audited(tx.connection, caller, f"endpoint.{status}", [], request, outcome=str(endpoint_id))
        return row


def _organisation(caller: Caller, body: NewEndpoint) -> str:
    organisation = body.organisation or caller.organisation
    if organisation is None:
        raise Problem(422, "For which organisation?", slug="organisation-missing", field="organisation")
    if not caller.acts_for(organisation):
        raise Problem(403, "Not your organisation", slug="not-your-organisation")
    return organisation


def _checked(url: str, *, private: bool) -> str:
    try:
        return str(check_url(url, private=private))
    except RefusedUrlError as refused:
        raise Problem(422, "The URL can't be an endpoint", str(refused), slug="url-refused", field="url") from None


async def _must_be_known(tx: Transaction, organisation: str) -> None:
    if not await roster_store.is_organisation(tx.connection, organisation):
        raise Problem(422, "No such organisation", "It must stand in the roster.", slug="no-such-organisation")


async def _own(tx: Transaction, caller: Caller, endpoint_id: UUID) -> Any:
    row = await store.one(tx.connection, endpoint_id)
    if row is None or not caller.acts_for(row["organisation"]):
        raise Problem(404, "No such endpoint", slug="no-such-endpoint")
    return row


def _webhook(row: Any) -> Any:
    if row["channel"] != "webhook":
        raise Problem(409, "It is a topic, not a webhook", slug="not-a-webhook")
    return row

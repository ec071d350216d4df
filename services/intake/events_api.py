"""`POST /events/{feed}`: JSON events with an Idempotency-Key, kept raw in the message log like HL7."""

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import JSONResponse

from services.intake import idempotency
from services.intake.feeds import FeedDirectory
from services.intake.idempotency import OtherBodyError
from services.intake.json_events import JsonEvent, read_json_event
from services.intake.message import Outcome, Verdict
from services.intake.offering import feed_for, settle
from services.intake.receiving import Reception
from shared.http import Caller, Problem, Role, allow
from shared.http.problems import MEDIA_TYPE, invalid
from shared.postgres import Database

Sender = Annotated[Caller, allow(Role.INTEGRATION)]
FeedName = Annotated[str, Path(max_length=100)]
IdempotencyKey = Annotated[
    str, Header(alias="idempotency-key", min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")
]


def events_router(database: Database, feeds: FeedDirectory, reception: Reception) -> APIRouter:
    router = APIRouter(tags=["events"])

    @router.get("/events/schema")
    async def schema(_caller: Sender) -> dict[str, Any]:
        """The JSON Schema of an event."""
        return JsonEvent.model_json_schema()

    @router.post("/events/{feed}")
    async def send(feed: FeedName, request: Request, key: IdempotencyKey, caller: Sender) -> Response:
        """200 once it is stored and took effect, 202 when a person must look first, 422 when it does not fit.

        The same key with the same body is given the same answer; with another body it is 409.
        """
        profile = feed_for(feeds, feed, caller)
        raw = await request.body()
        async with database.pool.acquire() as connection:
            try:
                given = await idempotency.bind(connection, feed, key, hashlib.sha256(raw).digest())
            except OtherBodyError:
                raise Problem(409, "This key was used for another event", slug="idempotency-key-reused") from None
        if given:
            return _answer(given.status, given.answer, "true")
        arrival, errors = read_json_event(raw, key, profile, feeds)
        verdict = await settle(reception, arrival)
        status, answer = _told(verdict, errors, str(arrival.id))
        async with database.pool.acquire() as connection:
            await idempotency.keep_answer(connection, feed, key, status, answer)
        return _answer(status, answer, "false")

    return router


def _told(verdict: Verdict, errors: list[Any], message_id: str) -> tuple[int, dict[str, Any]]:
    if verdict.outcome is Outcome.REJECTED:
        return 422, invalid(errors).document() | {"message_id": message_id}
    told: dict[str, Any] = {"outcome": verdict.outcome, "reason": verdict.reason}
    if verdict.outcome is not Outcome.DUPLICATE:
        told["message_id"] = message_id
    return (202 if verdict.outcome is Outcome.HELD else 200), told


def _answer(status: int, answer: Any, repeated: str) -> Response:
    media = MEDIA_TYPE if status >= 400 else None  # noqa: PLR2004  (HTTP's own boundary)
    return JSONResponse(answer, status, headers={"Idempotent-Replayed": repeated}, media_type=media)

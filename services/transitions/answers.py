"""How every route of transitions answers: who asks and when, refusals as problems, places in lists."""

from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Request
from pydantic import AfterValidator, AwareDatetime

from services.transitions.acting import CLOCKS_APART, Act, AheadError, StaleVersionError, UnknownError
from services.transitions.task import NotAllowedError
from shared.http import Caller, Problem
from shared.postgres import Transaction

_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
Answer = TypeVar("Answer")


def _within_reach(at: datetime) -> datetime:
    if not _EARLIEST <= at <= _LATEST:
        raise ValueError("lies beyond any calendar that is counted here")
    return at


Instant = Annotated[AwareDatetime, AfterValidator(_within_reach)]
"""With its offset, and such that days can be counted from it, in any zone."""


async def act_of(tx: Transaction, caller: Caller, request: Request, key: str | None) -> Act:
    """`key` counts for this caller and this route alone: the same key on another deed is another deed's."""
    request_id = request.state.request_id
    own = f"{caller.subject} {request.method} {request.url.path} {key}" if key is not None else None
    return Act(actor=caller.subject, request_id=request_id, at=await tx.now(), sees=caller.sees, key=own)


async def answered(acted: Awaitable[Answer]) -> Answer:
    try:
        return await acted
    except UnknownError:
        raise unknown() from None
    except StaleVersionError as stale:
        title = "It has changed since you saw it"
        raise Problem(409, title, stale.now, slug="stale-version", version=stale.version) from None
    except AheadError:
        wants = "Record it once its time has come; if it took place at another time, schedule it for that time first."
        title = "The appointment is still ahead"
        raise Problem(422, title, wants, slug="appointment-ahead", field="body.scheduled_at") from None
    except NotAllowedError as refused:
        raise Problem(409, "That can't be done as it stands", str(refused), slug="not-as-it-stands") from None


def unknown() -> Problem:
    """Another facility's is not told from one that does not exist."""
    return Problem(404, "There is no such transition, task, referral or alert", slug="unknown")


def must_be_past(at: datetime, now: datetime) -> None:
    if at > now + CLOCKS_APART:
        raise Problem(422, "The request does not fit", "at lies in the future", slug="invalid-request", field="body.at")


def place_in(name: str, text: str | None) -> tuple[datetime, UUID] | None:
    if text is None:
        return None
    at, _, last = text.partition("_")
    try:
        place = datetime.fromisoformat(at), UUID(last)
    except ValueError:
        place = None
    if place is None or place[0].tzinfo is None or not _EARLIEST <= place[0] <= _LATEST:
        wants = f"{name} is the `next` of the page before"
        raise Problem(422, "The request does not fit", wants, slug="invalid-request", field=f"query.{name}")
    return place

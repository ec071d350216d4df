"""An act of the page's user, told to the service that owns the matter, with the user's own token; then back to a page
that says what came of it. What was typed into a form that is refused is never lost: it can be sent again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Form, Request, Response

from services.dashboard.deeds import Said
from services.dashboard.pages.page import back_to, console_of, render
from services.dashboard.store import board
from services.dashboard.unsent import Change, carried_along, opened_at, typed_in
from shared.http import Problem, caller_of, token_of

LONGEST_S = 15.0
Word = Annotated[str, Form(max_length=100)]
Words = Annotated[str, Form(max_length=500)]
Changes = Callable[[datetime], Awaitable[list[Change]]]
"""What changed since then, asked for when an act was refused."""
UNSAID = frozenset({"words-missing", "nothing-chosen", "incomplete-record"})
"""What a page asks for before it tells anybody."""


def _said(words: Words = "", owner: Word = "", role: Word = "", hours: Annotated[int, Form()] = 0) -> Said:
    return Said(words=words, owner=owner, role=role, hours=hours)


SaidForm = Annotated[Said, Depends(_said)]


async def tell(
    request: Request,
    service: str,
    path: str,
    body: dict[str, Any],
    *,
    here: str,
    done: str,
    once: str = "",
    method: str = "POST",
    changes: Changes | None = None,
) -> Response:
    """`once` was made with the form: a form that is sent twice takes effect once."""
    try:
        await ask(request, service, path, body, once=once, method=method)
    except Problem as problem:
        return await refused(request, problem, here, changes)
    return back_to(request, here, "good", done)


async def ask(
    request: Request, service: str, path: str, body: dict[str, Any], *, once: str = "", method: str = "POST"
) -> Any:
    """What the service answers. Raises Problem: the service's own, 503 or, after 15 seconds, 504."""
    try:
        async with asyncio.timeout(LONGEST_S):
            return await console_of(request).peers.tell(
                method, service, path, token_of(request), body, key=once or None
            )
    except TimeoutError:
        detail = f"{service} takes long. Look again before repeating."
        raise Problem(504, "It is not known to be done", detail, slug="service-slow") from None


async def refused(request: Request, problem: Problem, here: str, changes: Changes | None = None) -> Response:
    """Back to the page, which says why; or, where something was typed, a page that holds it for sending it again."""
    form = [(name, value) for name, value in (await request.form()).multi_items() if isinstance(value, str)]
    typed = typed_in(form)
    if not typed:
        return back_to(request, here, "bad", refusal(problem))
    said = dict(form)
    since = opened_at(said.get("shown", ""))
    async with console_of(request).database.pool.acquire() as connection:
        now = await board.clock(connection)
    return await render(
        request,
        "again.html",
        await caller_of(request),
        problem.status,
        act=request.url.path.rsplit("/", 1)[-1].replace("-", " "),
        refusal=refusal(problem),
        is_stale=problem.slug == "stale-version",
        changed=await _changed(changes, since) if changes and since else [],
        typed=typed,
        carried=carried_along(form),
        version=problem.extra.get("version", said.get("version")),
        key=said.get("once", ""),
        back=here,
        now=now,
    )


async def _changed(changes: Changes, since: datetime) -> list[Change]:
    """What was typed stands on the page also where nobody can say what changed."""
    try:
        return await changes(since)
    except Problem:
        return []


def refusal(problem: Problem) -> str:
    """Why it was not done, for people."""
    if problem.slug == "stale-version":
        standing = f": {problem.detail}" if problem.detail else ""
        return f"Not done, somebody changed this meanwhile{standing}. What you see now is how it stands."
    if problem.slug == "service-slow":
        return f"Not known to be done: {problem.detail}"
    if problem.status == HTTPStatus.UNPROCESSABLE_ENTITY and problem.slug in UNSAID:
        return f"Not done yet: {problem.title}."
    return f"Not done: {problem.title}." + (f" {problem.detail}" if problem.detail else "")

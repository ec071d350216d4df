"""An act of the page's user, told to the service that owns the matter, with the user's own token; then back to a page
that says what came of it.
"""

import asyncio
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Form, Request, Response

from services.dashboard.deeds import Said
from services.dashboard.pages.page import back_to, console_of
from shared.http import Problem, token_of

LONGEST_S = 15.0
Word = Annotated[str, Form(max_length=100)]
Words = Annotated[str, Form(max_length=500)]
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
) -> Response:
    """`once` was made with the form: a form that is sent twice takes effect once."""
    try:
        async with asyncio.timeout(LONGEST_S):
            await console_of(request).peers.tell(method, service, path, token_of(request), body, key=once or None)
    except TimeoutError:
        return back_to(
            request, here, "bad", f"Not known to be done: {service} takes long. Look again before repeating."
        )
    except Problem as problem:
        return back_to(request, here, "bad", refusal(problem))
    return back_to(request, here, "good", done)


def refusal(problem: Problem) -> str:
    """Why it was not done, for people."""
    if problem.slug == "stale-version":
        standing = f": {problem.detail}" if problem.detail else ""
        return f"Not done, somebody changed this meanwhile{standing}. What you see now is how it stands."
    if problem.status == HTTPStatus.UNPROCESSABLE_ENTITY and problem.slug in UNSAID:
        return f"Not done yet: {problem.title}."
    return f"Not done: {problem.title}." + (f" {problem.detail}" if problem.detail else "")

"""Forms of our own pages: each carries a token of its session, beside what the session cookie already demands."""

import hashlib
import hmac
from typing import Annotated

from fastapi import Depends, Form, Request, params

from shared.http import Problem, token_of


def csrf_of(token: str) -> str:
    """What a form must carry back: only a page made for this session knows it, and it survives a restart."""
    return hashlib.sha256(b"handoff form " + token.encode()).hexdigest()


async def _checked(request: Request, csrf: Annotated[str, Form(max_length=64)] = "") -> None:
    check_own(request, csrf)


def check_own(request: Request, csrf: str) -> None:
    """For an upload, which is read as it comes: the form's token stands before its file."""
    if not hmac.compare_digest(csrf.encode(), csrf_of(token_of(request)).encode()):
        raise Problem(403, "This form is too old", "Open the page again and repeat.", slug="foreign-form")


own_form: params.Depends = Depends(_checked)
"""Refuses a form that one of our own pages did not make for this very session."""

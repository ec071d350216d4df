"""Someone at the console: opens pages and sends their forms, as a browser without scripts does."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from services.dashboard.forms import csrf_of
from services.dashboard.session import SESSION_COOKIE
from shared.http import Role
from tests.integration.dashboard.conftest import Console
from tests.integration.http.running import Answer

HTML = {"accept": "text/html"}


class Visitor:
    """`said` is what the page says of the last act: its kind and its words."""

    def __init__(self, console: Console, role: Role, **claims: Any) -> None:
        self._console = console
        self._token = console.tokens.of(role, **claims)
        self.said: tuple[str, str] = ("", "")

    async def open(self, path: str) -> Answer:
        headers = {**HTML, "cookie": f"{SESSION_COOKIE}={self._token}"}
        return await self._console.client.ask("GET", path, headers=headers)

    async def send(self, path: str, form: Mapping[str, str | Sequence[str]]) -> Answer:
        """Sends the form with its session's mark; notes what the next page will say."""
        fields = [(name, one) for name, value in form.items() for one in ([value] if isinstance(value, str) else value)]
        headers = {**HTML, "cookie": f"{SESSION_COOKIE}={self._token}", "sec-fetch-site": "same-origin"}
        answer = await self._console.client.ask(
            "POST", path, headers=headers, data=[*fields, ("csrf", csrf_of(self._token))]
        )
        told = re.search(r"handoff_said=([^;]+)", "; ".join(answer.headers.getall("set-cookie", [])))  # type: ignore[attr-defined]
        if told:
            kind, words = orjson.loads(base64.urlsafe_b64decode(told[1].strip('"')))
            self.said = (kind, words)
        return answer


def field_of(page: Answer, name: str) -> list[str]:
    """The values of the page's fields of this name."""
    found = re.findall(rf'<input[^>]*\bname="{name}"[^>]*\bvalue="([^"]*)"', page.text)
    return found or re.findall(rf'<input[^>]*\bvalue="([^"]*)"[^>]*\bname="{name}"', page.text)

"""Server-sent hints over a real socket: they come at commit, say what changed, and survive a break."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from services.dashboard.store import operations
from shared.http import Role
from tests.integration.dashboard.conftest import Console
from tests.integration.dashboard.told import Story
from tests.support.story import until

LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = $1"


class Stream:
    """An open stream of hints, as an EventSource reads it."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.last_id = ""

    async def next(self) -> tuple[str, Any]:
        """The next event that is no ping: its name and its data."""
        said: dict[str, str] = {}
        async for raw in self._answer.content:
            line = raw.decode().rstrip()
            if line.startswith(":"):
                continue
            if not line and "event" in said:
                self.last_id = said["id"]
                return said["event"], json.loads(said["data"])
            name, _, value = line.partition(": ")
            said[name] = value
        raise AssertionError("the stream has ended")


@asynccontextmanager
async def watching(console: Console, *topics: str, last_id: str | None = None) -> AsyncIterator[Stream]:
    headers = {"authorization": f"Bearer {console.tokens.of(Role.OPS)}"}
    if last_id is not None:
        headers["last-event-id"] = last_id
    params = [("watch", topic) for topic in topics]
    timeout = aiohttp.ClientTimeout(total=20)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(f"{console.client.url}/live", headers=headers, params=params) as answer,
    ):
        assert answer.status == 200
        yield Stream(answer)


async def a_stay(console: Console) -> Story:
    story = Story()
    admitted = story.admitted()
    await console.take(admitted, story.opened(admitted))
    return story


async def hub_listens(console: Console) -> None:
    async def listens() -> bool:
        # Having listened, the hub asks where the changes stand, and then keeps its connection.
        return bool(await console.database.pool.fetchval(LISTENING, operations.REVISION))

    await until(listens, "the hub listens")


async def test_a_hint_says_which_page_and_how_much(console: Console) -> None:
    await hub_listens(console)
    async with watching(console, "board", "signals") as stream:
        assert (await stream.next())[0] == "hello"
        await a_stay(console)
        assert await stream.next() == ("changed", {"board": 1})


async def test_a_page_hears_of_its_own_stay_alone(console: Console) -> None:
    story = await a_stay(console)
    await hub_listens(console)
    async with watching(console, f"stay:{story.encounter_id}") as stream:
        assert (await stream.next())[0] == "hello"
        await a_stay(console)
        await console.take(story.discharged())
        name, said = await stream.next()
        assert (name, list(said)) == ("changed", [f"stay:{story.encounter_id}"])


async def test_who_was_away_is_told_that_something_was_missed(console: Console) -> None:
    await hub_listens(console)
    async with watching(console, "board") as stream:
        await stream.next()
        await a_stay(console)
        await stream.next()
        left_at = stream.last_id
    async with watching(console, "board", last_id=left_at) as stream:
        assert await stream.next() == ("hello", {"missed": False})
    await a_stay(console)

    async def missed() -> bool:
        async with watching(console, "board", last_id=left_at) as stream:
            return bool((await stream.next())[1]["missed"])

    await until(missed, "the revision has moved on")


async def test_a_refused_batch_hints_nothing(console: Console) -> None:
    await hub_listens(console)
    async with watching(console, "board") as stream:
        await stream.next()
        broken = Story(family="\x00")
        admitted = broken.admitted()
        try:
            await console.take(admitted, broken.opened(admitted))
        except Exception as error:  # noqa: BLE001  (any refusal of the database will do)
            refused = error
        assert refused is not None
        await a_stay(console)
        assert await stream.next() == ("changed", {"board": 1})

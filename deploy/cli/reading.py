"""positions, hops, dead-letters: how far everyone is."""

import asyncio
from typing import Any

import typer

from deploy.cli import stack
from deploy.cli.output import Json, listing
from deploy.local.settings import SERVICES
from deploy.operations import Operations


def register(app: typer.Typer) -> None:
    app.command()(positions)
    app.command()(hops)
    app.command(name="dead-letters")(dead_letters)


async def of_all(found: stack.RunningStack, path: str) -> dict[str, Any]:
    """Every service's answer to one route, by service."""
    async with found.operations() as operations:
        names = [name for name in SERVICES if name in found.urls]
        return dict(zip(names, await _gather(operations, names, path), strict=True))


async def _gather(operations: Operations, names: list[str], path: str) -> list[Any]:
    first = await operations.get(names[0], path)  # fetches the token once
    return [first, *await asyncio.gather(*(operations.get(name, path) for name in names[1:]))]


def positions(as_json: Json = False) -> None:
    """Where every consumer stands in every partition, and which log each relay is open on."""
    answers = stack.run(of_all(stack.find(), "/operations/positions"))
    rows = [{"service": name, **row} for name, told in answers.items() for row in told["positions"]]
    if not as_json:
        relays = [{"service": name, **told["relay"]} for name, told in answers.items()]
        listing(relays, ["service", "log_id", "open", "oldest_unpublished"], as_json=False, empty="")
    listing(
        rows, ["service", "consumer", "topic", "partition", "next_offset", "log_id"], as_json=as_json,
        empty="no consumer has read anything yet",
    )  # fmt: skip


def hops(as_json: Json = False) -> None:
    """What waits between two steps, and how old the oldest of it is."""
    answers = stack.run(of_all(stack.find(), "/operations/hops"))
    rows = [{"service": name, **hop} for name, told in answers.items() for hop in told["hops"]]
    listing(rows, ["service", "name", "count", "oldest_seconds"], as_json=as_json, empty="nothing waits")


def dead_letters(as_json: Json = False) -> None:
    """Records that no one can read, with the reason."""
    answers = stack.run(of_all(stack.find(), "/operations/dead-letters"))
    rows = [{"service": name, **item} for name, told in answers.items() for item in told["items"]]
    columns = [column for column in (rows[0] if rows else {}) if column not in {"value", "headers"}]
    listing(rows, columns, as_json=as_json, empty="there are no dead letters")

"""republish, rebuild, provision, epoch: saying again, and making room for it."""

import asyncio
from typing import Annotated, Any

import typer
from rich.progress import Progress

from deploy.cli import provisioning, stack
from deploy.cli.output import Json, console, fail, listing, print_json
from deploy.local import broker
from deploy.local.republishing import open_relays
from deploy.local.settings import SERVICES
from deploy.local.supervisor import roster_file
from deploy.topics import create_topics, listening_organisations

TELLERS = tuple(name for name in SERVICES if name != "dashboard")


def register(app: typer.Typer) -> None:
    for command in (republish, rebuild, provision):
        app.command()(command)
    epochs = typer.Typer(help="The epoch of the events' sequence numbers.", no_args_is_help=True)
    epochs.command(name="raise")(raise_epoch)
    epochs.callback()(lambda: None)
    app.add_typer(epochs, name="epoch")


def republish(as_json: Json = False) -> None:
    """After the broker lost its log: publish again what any reader lacks (the stack does so by itself)."""
    rows = stack.run(_republish(stack.find()))
    listing(
        [{"service": name, "events": count} for name, count in rows.items()], ["service", "events"], as_json=as_json,
        empty="every relay is open on the broker's log; nothing was missing",
    )  # fmt: skip


async def _republish(found: stack.RunningStack) -> dict[str, int]:
    log_id = await broker.answers(found.kafka)
    await create_topics(found.kafka, listening_organisations(roster_file()), partitions=found.partitions)
    async with found.operations() as operations:
        return await open_relays(operations, SERVICES, log_id, found.run_folder / "republish.json")


def rebuild(
    what: Annotated[
        str, typer.Argument(help="dashboard: the only service whose tables are all derived.")
    ] = "dashboard",
    as_json: Json = False,
) -> None:
    """Empty the console's tables and fill them from the log and from snapshots of what is open."""
    if what != "dashboard":
        fail(f"saw {what!r}, wants dashboard: the other services' tables are the truth itself", 2)
    told = stack.run(_rebuild(stack.find(), quiet=as_json))
    if as_json:
        print_json(told)
    else:
        console.print(f"{sum(told.values())} snapshots published; the console is being filled")


async def _rebuild(found: stack.RunningStack, *, quiet: bool) -> dict[str, int]:
    told: dict[str, int] = {}
    async with found.operations() as operations:
        with Progress(console=console, disable=quiet) as progress:
            task = progress.add_task("emptying", total=len(TELLERS) + 1)
            await operations.post("dashboard", "/operations/rebuild")
            progress.advance(task)
            for service in TELLERS:
                progress.update(task, description=f"snapshots of {service}")
                told[service] = int((await operations.post(service, "/operations/snapshots"))["events"])
                progress.advance(task)
    return told


def provision(
    organisations: Annotated[
        list[str] | None, typer.Argument(help="Slugs; all of the roster with kafka if none.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Topics of the contract and of provider organisations, each readable by that organisation alone; with
    HANDOFF_REPLICATION copies of each partition. Topics that are there already stay as they are.
    """
    wanted = organisations or listening_organisations(roster_file())
    found = stack.find()
    rows = stack.run(provisioning.provision(found.kafka, wanted, found.replication))
    listing(rows, ["topic", "created", "readable_by"], as_json=as_json, empty="no organisation wants a topic")


def raise_epoch(as_json: Json = False) -> None:
    """After a restore from a backup: sequence numbers begin a new epoch, and readers see no false gaps."""
    found = stack.find()
    answers = stack.run(_raise(found))
    listing(
        [{"service": name, "epoch": told["epoch"]} for name, told in answers.items()], ["service", "epoch"],
        as_json=as_json, empty="",
    )  # fmt: skip


async def _raise(found: stack.RunningStack) -> dict[str, Any]:
    async with found.operations() as operations:
        await operations.get("intake", "/operations/positions")  # nothing is raised unless the services answer
        answers = await asyncio.gather(*(operations.post(name, "/operations/epoch") for name in SERVICES))
        return dict(zip(SERVICES, answers, strict=True))

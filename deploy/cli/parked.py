"""parked: patients whose events wait behind one that could not take effect."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from deploy.cli import reading, stack
from deploy.cli.output import Json, console, fail, listing

app = typer.Typer(help="Patients whose events wait: look, release, skip.", no_args_is_help=True)

Service = Annotated[str, typer.Argument(help="Service that holds them.")]
Consumer = Annotated[str, typer.Argument(help="Consumer, as `parked list` shows it.")]
Subject = Annotated[str, typer.Argument(help="Patient id, as `parked list` shows it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept in the audit log.")]


@app.command(name="list")
def list_parked(as_json: Json = False) -> None:
    """Every parked patient, with the reason and how many events wait behind the first."""
    answers = stack.run(reading.of_all(stack.find(), "/operations/parked"))
    rows = [{"service": name, **item} for name, told in answers.items() for item in told["items"]]
    listing(
        rows, ["service", "consumer", "subject", "reason", "since", "followers", "state"], as_json=as_json,
        empty="nobody is parked",
    )  # fmt: skip


@app.command()
def release(service: Service, consumer: Consumer, subject: Subject) -> None:
    """Try the waiting events again, in their order."""
    _decide(service, consumer, subject, "release", lambda version: {"version": version})


@app.command()
def skip(service: Service, consumer: Consumer, subject: Subject, reason: Reason) -> None:
    """Leave the first waiting event out and go on with the next."""
    _decide(service, consumer, subject, "skip", lambda version: {"version": version, "reason": reason})


@app.command(name="accept-gap")
def accept_gap(service: Service, consumer: Consumer, subject: Subject, reason: Reason) -> None:
    """Go on although an event of this patient never came and never will."""
    _decide(service, consumer, subject, "accept-gap", lambda version: {"version": version, "reason": reason})


def _decide(service: str, consumer: str, subject: str, action: str, body: Callable[[int], dict[str, Any]]) -> None:
    stack.run(_post(stack.find(), service, consumer, subject, action, body))
    console.print(f"{action}: {subject} in {service} ({consumer})")


async def _post(
    found: stack.RunningStack, service: str, consumer: str, subject: str, action: str,
    body: Callable[[int], dict[str, Any]],
) -> None:  # fmt: skip
    async with found.operations() as operations:
        items = (await operations.get(service, "/operations/parked"))["items"]
        version = next((i["version"] for i in items if (i["consumer"], i["subject"]) == (consumer, subject)), None)
        if version is None:
            fail(f"{subject} is not parked in {service} ({consumer}); see `handoff parked list`")
        await operations.post(service, f"/operations/parked/{consumer}/{subject}/{action}", body(version))

"""token, audit: who may, and who did."""

from typing import Annotated, Any

import typer

from deploy.cli import reading, stack
from deploy.cli.output import Json, console, fail, listing, print_json
from deploy.local.settings import SERVICES
from shared.http import Role


def register(app: typer.Typer) -> None:
    app.command()(token)
    audits = typer.Typer(help="Who read or did what.", no_args_is_help=True)
    audits.command(name="show")(show)
    audits.command(name="verify")(verify)
    app.add_typer(audits, name="audit")


def token(
    role: Annotated[Role, typer.Argument(help="Role the token is for.")] = Role.ADMIN,
    organisation: Annotated[str | None, typer.Option(help="Organisation of a provider system.")] = None,
    facility: Annotated[list[str] | None, typer.Option(help="Facilities it is bound to; all if none.")] = None,
    care_role: Annotated[
        list[str] | None, typer.Option(help="Owner roles whose tasks are its own work; care-manager if none.")
    ] = None,
    as_json: Json = False,
) -> None:
    """A bearer token of the local issuer, for scripts: curl -H "Authorization: Bearer $(handoff token ops)" …"""
    claims: dict[str, Any] = {"facilities": facility or [], "care_roles": care_role or []}
    if organisation:
        claims["organisation"] = organisation
    issued = stack.run(_token(stack.find(), role, claims))
    if as_json:
        print_json({"role": role, "token": issued})
    else:
        print(issued)


async def _token(found: stack.RunningStack, role: Role, claims: dict[str, Any]) -> str:
    async with found.operations() as operations:
        return await operations.token(role, **claims)


def show(
    service: Annotated[str, typer.Argument(help="Service whose log is shown.")],
    limit: Annotated[int, typer.Option(min=1, max=500)] = 50,
    as_json: Json = False,
) -> None:
    """The newest entries of a service's audit log."""
    if service not in SERVICES:
        fail(f"saw {service!r}, wants one of {', '.join(SERVICES)}", 2)
    rows = stack.run(_page(stack.find(), service, limit))
    listing(rows, ["seq", "at", "actor", "action", "subjects", "outcome"], as_json=as_json, empty="nothing yet")


async def _page(found: stack.RunningStack, service: str, limit: int) -> list[dict[str, Any]]:
    async with found.operations() as operations:
        items: list[dict[str, Any]] = (await operations.get(service, "/operations/audit", limit=limit))["items"]
        return items


def verify(as_json: Json = False) -> None:
    """Recompute every service's chain: a changed, missing or reordered entry is named, and the exit code is 1."""
    answers = stack.run(reading.of_all(stack.find(), "/operations/audit/verdict"))
    rows = [{"service": name, **told} for name, told in answers.items()]
    listing(rows, ["service", "rows", "first_bad", "head"], as_json=as_json, empty="")
    broken = [row for row in rows if row["first_bad"] is not None]
    if broken:
        raise typer.Exit(1)
    if not as_json:
        console.print("every chain is whole")

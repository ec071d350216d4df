"""How commands answer: tables for people, JSON for programs, one line for a failure."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

console = Console()
errors = Console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
NOTHING_RUNS = 3
WRONG_SETTINGS = 2


def fail(line: str, code: int = 1) -> NoReturn:
    errors.print(f"[bold red]handoff:[/] {line}", highlight=False, soft_wrap=True)
    sys.exit(code)


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, default=str))


def listing(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str) -> None:
    """A table of the named columns, or all of the rows as JSON."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        console.print(f"[dim]{empty}")
        return
    table = Table(show_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(shown(row.get(column)) for column in columns))
    console.print(table)


def shown(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.1f}"
        case _:
            return str(value)

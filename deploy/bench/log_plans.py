"""How the server answers each question of a log of ten million messages: which way it takes, and how many pages it
reads. Metadata alone: the bytes of messages are not looked at by any question.
"""

import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import orjson

from deploy.bench.figures import Figure, Report
from deploy.bench.ground import Ground
from deploy.bench.log import intakes_tables, month_before_today
from deploy.bench.log_questions import Question, Questions
from deploy.bench.log_rows import fill_moves, fill_narrow
from services.intake import counting, family_store, log_store, move_store, searching
from services.intake.identity import joins
from services.intake.releasing import NEWEST, SLICE
from services.intake.triggers import MOVES

if TYPE_CHECKING:
    from services.intake.store import Connection

# A page of fifty messages, found one by one by index in a log of thirty days: a few pages for each day and each row.
ASKED_PAGES = 5_000
EACH = 3
LIMIT = 50


class Way(NamedTuple):
    """How a question was answered: pages read or found in memory, milliseconds in the server, indexes used."""

    pages: int
    ms: float
    through: str


async def look(ground: Ground, report: Report, *, rows: int) -> None:
    """The most pages of each kind of question, and of what intake asks its log by itself."""
    await ground.only()
    begun = month_before_today()
    ways: dict[str, Way] = {}
    async with intakes_tables(ground) as tables:
        began = time.monotonic()
        await fill_narrow(tables, begun, rows)
        await fill_moves(tables, rows)
        filled = time.monotonic() - began
        for kind, ask in Questions(rows, begun).listed().items():
            ways[kind] = max([await way(tables, *statement(ask())) for _ in range(EACH)])
        for kind, (sql, arguments) in own_questions().items():
            ways[kind] = await way(tables, sql, arguments)
    most = max(ways, key=lambda kind: ways[kind].pages)
    report.tell(
        Figure(f"message log of {rows:,} metadata rows: most pages of a question", ways[most].pages, "pages",
               ASKED_PAGES, "less", f"{most}; filled in {filled:.0f} s"),
    )  # fmt: skip
    report.notes.append(_table(ways))


def statement(question: Question) -> tuple[str, Sequence[object]]:
    """As `log_store.messages` asks it."""
    filters = {name: _typed(name, value) for name, value in question.items()}
    if "patient" in filters:
        filters["patients"] = [filters.pop("patient")]
    asked = searching.newest(filters, None, LIMIT)
    return asked.sql, asked.arguments


def _typed(name: str, value: object) -> Any:
    if name in {"since", "until"}:
        return datetime.fromisoformat(str(value))
    return UUID(str(value)) if name == "visit" else value


def own_questions() -> dict[str, tuple[str, Sequence[object]]]:
    """What intake asks by itself, every few seconds or when the console shows its feeds."""
    feeds = [f"hospital-{number}" for number in range(7)] + ["clinic"]
    return {
        "held, counted by reason and feed": (log_store.HELD_COUNTS, ()),
        "held, counted by feed": (counting.HELD, ()),
        "held for a visit, set free by a merge": (move_store.SET_FREE, (100, sorted(MOVES))),
        "moves to look at, the newest": (move_store.NEWEST, (NEWEST,)),
        "moves to look at, in turn": (move_store.NEXT, (*move_store.START, move_store.REMEMBERED_DAYS, SLICE)),
        "moves to look at again after a merge": (move_store.LOOK_AGAIN, (["p-4", "p-10"],)),
        "where a patient's stays may have come": (family_store.FAMILY, (["p-4", "p-10"], None)),
        "what holds a patient's records together": (joins.BONDS, ("p-10",)),
        "feeds of 24 hours, counted": (log_store.FEEDS, ()),
        "feeds heard of in 24 hours": (counting.SEEN, (datetime.now(UTC) - timedelta(minutes=1),)),
        "last received of each feed": (counting.LAST_RECEIVED, (feeds,)),
    }


async def way(tables: "Connection", sql: str, arguments: Sequence[object]) -> Way:
    said = await tables.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *arguments, timeout=600)
    [told] = orjson.loads(said) if isinstance(said, str) else said
    plan = told["Plan"]
    used = sorted({_family(node["Index Name"]) for node in _nodes(plan) if "Index Name" in node})
    scans = {
        f"all of {node['Relation Name']}" for node in _nodes(plan) if node["Node Type"] == "Seq Scan" and _pages(node)
    }
    return Way(_pages(plan), told["Execution Time"] + told["Planning Time"], ", ".join([*used, *sorted(scans)]) or "-")


def _pages(node: Any) -> int:
    return int(node["Shared Hit Blocks"] + node["Shared Read Blocks"])


def _nodes(plan: Any) -> list[Any]:
    return [plan, *(node for child in plan.get("Plans", ()) for node in _nodes(child))]


def _family(index: str) -> str:
    """`message_20261101_feed_id_idx` is one day's part of the index on (feed, id)."""
    return re.sub(
        r"^message_(\d{8}|default)_(.*?)_(idx\d*|pkey)$", r"message (\2)", re.sub(r"_pkey$", "_id_pkey", index)
    )


def _table(ways: Mapping[str, Way]) -> str:
    lines = ["| question | pages | in the server, ms | by |", "|---|---|---|---|"]
    lines += [f"| {kind} | {way.pages:,} | {way.ms:.1f} | {way.through} |" for kind, way in ways.items()]
    return "\n".join([*lines, ""])

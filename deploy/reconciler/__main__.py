"""`python -m deploy.reconciler`: compares the books of the stack in a run folder; exits 1 when something differs.

The stack must run and be at rest (SIMULATE=0, or the simulator stopped); `handoff status` shows what is under way.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from deploy.local.instance import read
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.settings import ROOT
from deploy.reconciler import collecting as rows
from deploy.reconciler.books import Books
from deploy.reconciler.outside import read_back, read_received, read_sent
from deploy.reconciler.verdict import differences, reconcile, show
from shared.kafka import KafkaSettings


async def collect(server: EmbeddedPostgres, kafka: KafkaSettings) -> Books:
    """The services' own books and Kafka's. Raises OSError, asyncpg.PostgresError, KafkaError."""
    connection = await server.connect()
    try:
        books = Books(
            messages=await rows.messages(connection),
            encounters=await rows.encounters(connection),
            transitions=await rows.transitions(connection),
            tasks=await rows.tasks(connection),
            plans=await rows.plans(connection),
            events=await rows.events(connection),
            marks=await rows.marks(connection),
            deliveries=await rows.deliveries(connection),
            stuck=await rows.stuck(connection),
            hears=await rows.hears(connection),
            everything=await rows.hearing_everything(connection),
            suppressed=await rows.suppressed(connection),
        )
    finally:
        await connection.close()
    return replace(books, records=await read_back(kafka, {event.topic for event in books.events}))


def with_logs(books: Books, sent: Path | None, received: Path | None, endpoint: str | None = None) -> Books:
    """The books with what was logged outside. A receiver's log without endpoint ids is that of `endpoint`."""
    got = read_received(received, endpoint)
    listening = {one.endpoint_id for one in got} | ({endpoint} if endpoint else set())
    return replace(books, sent=read_sent(sent), received=got, listening=frozenset(listening))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.reconciler", description=__doc__)
    parser.add_argument("--run-folder", type=Path, default=ROOT / ".run", help="the stack's folder")
    parser.add_argument("--sent", type=Path, help="the sender's log; default: the simulator's")
    parser.add_argument("--received", type=Path, help="the receiver's log; default: the sample provider's")
    asked = parser.parse_args()
    folder: Path = asked.run_folder
    stack = read(folder / "stack.json")
    if not stack:
        print(f"no stack runs in {folder}; start one with `make run`", file=sys.stderr)
        return 2
    provider = folder / "provider"
    registered = provider / "endpoint.json"
    endpoint = json.loads(registered.read_text())["id"] if registered.exists() and not asked.received else None
    server = EmbeddedPostgres(folder, stack["postgres_port"])
    books = asyncio.run(collect(server, KafkaSettings(bootstrap=stack["bootstrap"])))
    books = with_logs(
        books, asked.sent or folder / "simulator.jsonl", asked.received or provider / "received.jsonl", endpoint
    )
    results = reconcile(books)
    show(results, Console())
    return 1 if differences(results) else 0


if __name__ == "__main__":
    sys.exit(main())

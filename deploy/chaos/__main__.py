"""`make chaos`: kills processes at random while messages flow, and compares all books afterwards.

CHAOS=ci for the bounded run, KAFKA=apache to have the broker among the killed, SEED=… to repeat a plan.
"""

import argparse
import asyncio
import faulthandler
import logging
import os
import secrets
import sys
from pathlib import Path

from rich.console import Console

from deploy.chaos.plan import CI, CI_APACHE, DURABLE_TARGETS, FULL, TARGETS, Size, plan, shown, sized
from deploy.chaos.report import failures, report, write
from deploy.chaos.running import Outcome, TookTooLongError, run
from deploy.chaos.watching import Watch
from deploy.local.__main__ import EXPECTED
from deploy.local.settings import ROOT
from deploy.reconciler.verdict import show


def main() -> int:
    asked = _asked()
    broker = os.environ.get("KAFKA", "embedded")
    size = sized(_size(broker), asked.messages, asked.kills)
    victims = plan(asked.seed, size.kills, DURABLE_TARGETS if broker == "apache" else TARGETS)
    console = Console()
    console.print(f"seed {asked.seed}; {size.messages:,} messages, {size.offered:,} with duplicates, {size.rate:.0f}/s")
    console.print(shown(victims), highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    faulthandler.dump_traceback_later(size.bound_seconds, exit=True)  # a run that hangs shows where
    try:
        outcome = asyncio.run(run(asked.folder, asked.seed, size, victims, Watch(console, size)))
    except (*EXPECTED, TookTooLongError) as error:
        console.print(f"[red]chaos[/]: {error}; logs are in {asked.folder / 'logs'}", highlight=False)
        return 1
    return _judged(outcome, size, asked, victims, broker, console)


def _judged(
    outcome: Outcome, size: Size, asked: argparse.Namespace, victims: list[str], broker: str, console: Console
) -> int:
    show(outcome.results, console)
    write(report(outcome, size, asked.seed, victims, broker), asked.report)
    wrong = list(failures(outcome, size))
    for line in wrong:
        console.print(f"[red]failed[/]: {line}", highlight=False)
    kills = outcome.kills
    console.print(
        f"{kills.total} kills ({kills.share_in_flight:.0%} with work in flight), backlog 0 after"
        f" {outcome.rest_seconds:.1f} s; {asked.report}",
        highlight=False,
    )
    return 1 if wrong else 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="repeats a plan")
    parser.add_argument("--messages", type=int, help="messages without their duplicates")
    parser.add_argument("--kills", type=int, help="processes to kill")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".run" / "chaos", help="data (removed at the end) and logs"
    )
    parser.add_argument("--report", type=Path, default=ROOT / ".run" / "chaos-report.md", help="the report file")
    return parser.parse_args()


def _size(broker: str) -> Size:
    if os.environ.get("CHAOS") != "ci":
        return FULL
    return CI_APACHE if broker == "apache" else CI


if __name__ == "__main__":
    sys.exit(main())

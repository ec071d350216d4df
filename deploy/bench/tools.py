"""The measuring sticks, run as they are: the load client, the floor and the bare pipeline. They belong to no service.

They are looked for in `HANDOFF_BENCH_TOOLS` (or `../shared/bench` beside the project). Without them there is no floor
to compare with, and the bench says so.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.dying import ending_with_parent
from deploy.local.settings import ROOT

NAMES = ("mllp_load.py", "floor.py", "bare_pipeline.py")


class ToolsMissingError(RuntimeError):
    """The measuring sticks are not there."""


@dataclass(frozen=True, slots=True)
class Load:
    """One run of the load client. `rate` is messages per second in all; 0 is as fast as the answers come.

    `patients` is chosen so that most stays get several messages and come to their end.
    """

    connections: int
    messages: int
    seed: int
    rate: float = 0
    seconds: float = 0
    patients: int = 2_000


@dataclass(frozen=True, slots=True)
class Sent:
    """What the load client saw; milliseconds from a message's last byte to its acknowledgement."""

    messages: int
    per_second: float
    seconds: float
    ack_ms: Mapping[str, float]
    errors: int


def folder() -> Path:
    """Where the sticks are. Raises ToolsMissingError."""
    found = Path(os.environ.get("HANDOFF_BENCH_TOOLS", ROOT.parent / "shared" / "bench"))
    if missing := [name for name in NAMES if not (found / name).exists()]:
        raise ToolsMissingError(f"{', '.join(missing)} not found in {found}; set HANDOFF_BENCH_TOOLS to their folder")
    return found


async def send(port: int, load: Load, dump: Path | None = None) -> Sent:
    """Sends the load to an MLLP port on this machine and answers what came of it."""
    command = [
        sys.executable, str(folder() / "mllp_load.py"), "--port", str(port), "--connections", str(load.connections),
        "--messages", str(load.messages), "--patients", str(load.patients), "--seed", str(load.seed),
        "--rate", str(load.rate), "--max-seconds", str(load.seconds), *(["--dump", str(dump)] if dump else []),
    ]  # fmt: skip
    return await _sent(command)


async def offer(port: int, load: Load, *, mixed: bool = False, poison: float = 0.0) -> Sent:
    """As `send`, but whole present-day stays of the simulated hospitals: see deploy.bench.offering. `mixed`: with what
    laboratories, record rooms, schedulers and referrers send beside them; `poison`: this share of all can't be applied.
    """
    command = [
        sys.executable, "-m", "deploy.bench.offering", "--port", str(port), "--connections", str(load.connections),
        "--messages", str(load.messages), "--seed", str(load.seed), "--rate", str(load.rate),
        *(["--mixed"] if mixed else []), "--poison", str(poison),
    ]  # fmt: skip
    return await _sent(command)


async def _sent(command: list[str]) -> Sent:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT)
    output, _ = await process.communicate()
    said: dict[str, Any] = json.loads(output)
    return Sent(sum(said["acked"].values()), said["msgs_per_s"], said["seconds"], said["ack_ms"], said["errors"])


@asynccontextmanager
async def program(name: str, *arguments: str, environment: Mapping[str, str]) -> AsyncIterator[None]:
    """Runs one of the sticks' servers while the block lasts."""
    process = await asyncio.create_subprocess_exec(
        *ending_with_parent([sys.executable, str(folder() / name), *arguments], signal.SIGKILL),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

"""Which stack the command speaks to: the one that runs in the run folder, or the addresses in the environment."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from deploy.cli.output import NOTHING_RUNS, fail
from deploy.local import instance
from deploy.local.settings import SERVICES, StackSettings
from deploy.operations import Operations
from shared.http import read_settings
from shared.kafka import KafkaSettings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RunningStack:
    """Where a stack answers. `pid` is the supervisor's, where one runs on this machine."""

    urls: dict[str, str]
    kafka: KafkaSettings
    mllp: tuple[str, int]
    run_folder: Path
    pid: int | None = None
    children: dict[str, int] | None = None

    def operations(self) -> Operations:
        """A client with HANDOFF_TOKEN, or with a token of the local issuer."""
        return Operations(self.urls, issuer=self.urls.get("issuer"), token=os.environ.get("HANDOFF_TOKEN"))


def find() -> RunningStack:
    """The running stack. HANDOFF_URL_<SERVICE>, HANDOFF_BOOTSTRAP and HANDOFF_MLLP point at one elsewhere."""
    settings = read_settings(StackSettings)
    elsewhere = {name: url for name in SERVICES if (url := os.environ.get(f"HANDOFF_URL_{name.upper()}"))}
    told = instance.read(settings.run_folder / "stack.json")
    if not told and not elsewhere:
        fail(f"no stack runs in {settings.run_folder}; start one with `handoff up` or `make run`", NOTHING_RUNS)
    mllp = told.get("mllp", {})
    host, _, port = os.environ.get("HANDOFF_MLLP", "").rpartition(":")
    return RunningStack(
        urls=told.get("urls", {}) | elsewhere,
        kafka=KafkaSettings(bootstrap=os.environ.get("HANDOFF_BOOTSTRAP") or told.get("bootstrap", "127.0.0.1:19092")),
        mllp=(host or mllp.get("host", settings.host), int(port or mllp.get("port", settings.mllp_port))),
        run_folder=settings.run_folder,
        pid=told.get("pid"),
        children={name: pid for name, (pid, _born) in told.get("children", {}).items()},
    )


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)

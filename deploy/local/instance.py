"""One stack per run folder: who runs here, where it can be reached, what it left behind."""

import fcntl
import json
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import psutil

from deploy.local.settings import SERVICES, StackSettings


class AlreadyRunningError(Exception):
    """Another supervisor runs in this folder. The message names its process."""


class RunningInstance:
    """`stack.json` says which stack runs in a folder; a lock on it tells the living from the dead."""

    def __init__(self, run_folder: Path) -> None:
        self.file = run_folder / "stack.json"
        self._lock_file = run_folder / "lock"
        self._lock: TextIO | None = None

    def claim(self) -> None:
        """Take the folder; end children that a killed supervisor left. Raises AlreadyRunningError."""
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._lock_file.open("a+", encoding="utf-8")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "unknown"
            self._lock.close()
            self._lock = None
            raise AlreadyRunningError(
                f"Handoff already runs in {self.file.parent} (process {holder}); `handoff down` stops it"
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()
        self._end_leftovers()

    def note(self, settings: StackSettings, pids: Mapping[str, int | None]) -> None:
        """Write down where everything is, for the `handoff` command."""
        urls = {name: settings.url_of(name) for name in (*SERVICES, "signals", "issuer", "provider")}
        told = {
            "pid": os.getpid(),
            "urls": urls,
            "bootstrap": f"{settings.host}:{settings.broker_port}",
            "partitions": settings.partitions,
            "mllp": {"host": settings.host, "port": settings.mllp_port},
            "postgres_port": settings.postgres_port,
            "children": {name: [pid, _born(pid)] for name, pid in pids.items() if pid is not None},
        }
        unfinished = self.file.with_suffix(".new")
        unfinished.write_text(json.dumps(told, indent=1), encoding="utf-8")
        unfinished.replace(self.file)

    def release(self) -> None:
        if self._lock is not None:
            self.file.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _end_leftovers(self) -> None:
        told = read(self.file)
        left = [found for pid, born in told.get("children", {}).values() if (found := _same(pid, born))]
        for process in left:
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
        for process in psutil.wait_procs(left, timeout=5)[1]:
            process.kill()


def read(file: Path) -> dict[str, Any]:
    """What a running stack has written down; empty when none runs."""
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told


def _born(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


def _same(pid: int, born: float) -> psutil.Process | None:
    """The program with this id, if it is still the one that was started then."""
    try:
        found = psutil.Process(pid)
        return found if abs(found.create_time() - born) < 1 else None
    except psutil.Error:
        return None

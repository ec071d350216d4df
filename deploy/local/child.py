"""One program of the stack: started, watched, started again when it dies, stopped."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from deploy.local.dying import ending_with_parent
from deploy.local.pginstall import Owner
from deploy.local.settings import ROOT

FIRST_WAIT = 0.2
LONGEST_WAIT = 10.0
STEADY_SECONDS = 10.0
LOG_LIMIT_BYTES = 20_000_000
WRONG_SETTINGS = 2


class Stage(IntEnum):
    """The order of stopping: whoever feeds the others goes first, what they stand on last.

    The value is the time, in tenths of a second after the word to stop, by which the stage must have ended: what one
    stage does not need is left to those after it.
    """

    SIMULATOR = 15
    INTAKE = 40
    SERVICES = 65
    PROVIDER = 70
    POSTGRES = 88
    BROKER = 95


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run. `command` is asked anew at each start: the broker takes a new cluster id every time."""

    name: str
    command: Callable[[], list[str]]
    stage: Stage
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_url: str | None = None
    owner: Owner = field(default_factory=Owner)
    cwd: Path = ROOT
    stop_signal: signal.Signals = signal.SIGTERM
    nice: int = 0
    explain: Callable[[str], str | None] = lambda _output: None


class Child:
    """Keeps one program running until told to stop; says in one line what became of it."""

    def __init__(self, program: Program, logs: Path, say: Callable[[str], None]) -> None:
        self.program = program
        self.log = logs / f"{program.name}.log"
        self.restarts = 0
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int | None:
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    @property
    def exit_code(self) -> int | None:
        """How it ended last, or None while it runs."""
        return self._process.returncode if self._process else None

    async def start(self) -> None:
        self._stopping = False
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        program, owner = self.program, self.program.owner
        command = ending_with_parent(
            program.command(), program.stop_signal, uid=owner.uid, gid=owner.gid, nice=program.nice
        )
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=program.cwd,
                env={**os.environ, **program.environment},
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which then stops all in order
            )

    async def keep(self) -> None:
        """Watch the program; start it again whenever it ends by itself. Ends when `stop()` was called."""
        wait = FIRST_WAIT
        loop = asyncio.get_running_loop()
        while self._process is not None:
            began = loop.time()
            code = await self._process.wait()
            if self._stopping:
                return
            wait = FIRST_WAIT if loop.time() - began > STEADY_SECONDS else min(wait * 2, LONGEST_WAIT)
            self._say(f"{self.name} {_how(code)}{self._why(code)}; starting it again in {wait:.1f} s")
            await asyncio.sleep(wait)
            if self._stopping:
                return
            await self.start()
            self.restarts += 1

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal and let `keep` see to the rest."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """End it in good order; SIGKILL after the time of grace."""
        self._stopping = True
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(self.program.stop_signal)
        try:
            await asyncio.wait_for(self._process.wait(), grace_seconds)
        except TimeoutError:
            self._say(f"{self.name} did not end within {grace_seconds:.1f} s and was killed")
            self._process.kill()
            await self._process.wait()

    def last_words(self) -> str | None:
        """The last line of its log, or what its own reader makes of it."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 8192))
                tail = log.read().decode(errors="replace")
        except OSError:
            return None
        lines = [line.strip() for line in tail.splitlines() if line.strip()]
        return self.program.explain(tail) or (lines[-1][:300] if lines else None)

    def _why(self, code: int) -> str:
        words = self.last_words() if code > 0 else None
        return f" ({words})" if words else ""


def _how(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return "ended" if code == 0 else f"ended with exit code {code}"

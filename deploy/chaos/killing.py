"""Kills one process every few seconds by the plan, and notes what was under way at that moment."""

import asyncio
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from deploy.chaos.backlog import Backlog
from deploy.local.supervisor import Stack

# PostgreSQL takes this as "immediate": nothing is flushed, the next start recovers from its log.
SIGNALS = {"postgres": signal.SIGQUIT}
LOOK_SECONDS = 0.05
LONGEST_WAIT = 15.0


@dataclass(slots=True)
class Kills:
    """What was killed, how often while work was in flight, and what could not be killed for it never came up."""

    done: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.done.total()

    @property
    def share_in_flight(self) -> float:
        return self.in_flight / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Killer:
    """`under_way` answers the backlog, or None when the database is away; `outstanding` what the sender waits for."""

    stack: Stack
    under_way: Callable[[], Awaitable[Backlog | None]]
    outstanding: Callable[[], int]

    async def run(self, victims: Sequence[str], every_seconds: float, kills: Kills) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        for number, victim in enumerate(victims, start=1):
            await asyncio.sleep(max(0.0, began + number * every_seconds - clock()))
            await self._kill(victim, kills)

    async def _kill(self, victim: str, kills: Kills) -> None:
        if not await self._alive(victim):
            kills.missed.append(victim)
            return
        backlog = await self.under_way()
        waiting = self.outstanding()
        self.stack.kill(victim, SIGNALS.get(victim, signal.SIGKILL))
        kills.done[victim] += 1
        kills.in_flight += bool(waiting or (backlog and backlog.total))

    async def _alive(self, victim: str) -> bool:
        """Waits for a process that is just being started again: a dead one can't be killed."""
        deadline = asyncio.get_running_loop().time() + LONGEST_WAIT
        while self.stack.children[victim].pid is None:
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True

"""How far a consumer has come, for its watchdog and for those who watch."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.kafka.failures import StuckError
from shared.kafka.records import Item

Place = tuple[str, int]
"""(topic, partition)"""


@dataclass(slots=True)
class Progress:
    """Lag by topic and when something was last committed. Instants are seconds of the monotonic clock."""

    consumer: str
    committed_at: float = field(default_factory=time.monotonic)
    waiting_since: float | None = None
    paused: int = 0
    next_offsets: dict[Place, int] = field(default_factory=dict)
    lag: dict[str, int] = field(default_factory=dict)
    behind_since: dict[str, float] = field(default_factory=dict)

    def passed(self, items: Sequence[Item]) -> None:
        """These have been taken into effect (or parked)."""
        self.committed_at = time.monotonic()
        self.waiting_since = None
        for item in items:
            self.next_offsets[item.place] = item.record.offset + 1

    def waiting(self) -> None:
        """Something outside (the database, the broker) is away: that is no reason to end the process."""
        if self.waiting_since is None:
            self.waiting_since = time.monotonic()

    def measure(self, ends: Mapping[Place, int]) -> None:
        """Lag from the partitions' ends (high watermarks as the last fetches told them)."""
        lag: dict[str, int] = {}
        for (topic, partition), end in ends.items():
            behind = end - self.next_offsets.get((topic, partition), end)
            lag[topic] = lag.get(topic, 0) + max(0, behind)
        now = time.monotonic()
        self.behind_since = {topic: self.behind_since.get(topic, now) for topic, behind in lag.items() if behind}
        self.lag = lag

    def behind_s(self, topic: str) -> float | None:
        """Seconds since when this topic has had something unread, or None."""
        since = self.behind_since.get(topic)
        return None if since is None else time.monotonic() - since

    async def watch(self, stuck_after_s: float) -> None:
        """Ends the process when lag stands and nothing is committed: aiokafka has no sign of its own for that."""
        while True:
            await asyncio.sleep(1.0)
            excused = self.waiting_since is not None or self.paused > 0 or not any(self.lag.values())
            if excused:
                self.committed_at = time.monotonic()
            elif (idle := time.monotonic() - self.committed_at) > stuck_after_s:
                raise StuckError(f"{self.consumer}: lag stands and nothing was committed for {idle:.0f} s")

"""Faust's windowed tables: counts per scope and time, in memory, filled again from PostgreSQL after a start.

They have no changelog. Recovery from one was tried on the embedded broker and brought back old values, since that
broker answers wrong ends of a log (ADR 1); and a changelog would double what an in-memory broker must hold.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import faust
from faust.tables.wrappers import WindowWrapper
from typing_extensions import override

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ONLY_PARTITION = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How much there was in a window: `value` is the whole of it, not an addition."""

    kind: str
    scope: str
    starts: datetime
    value: int


class LocalTable(faust.Table[str, int]):
    """A table that tells no changelog. It is not registered with the application, so nothing waits for its recovery."""

    @override
    def on_key_set(self, key: Any, value: Any) -> None:
        self._maybe_set_key_ttl(key, ONLY_PARTITION)

    @override
    def on_key_del(self, key: Any) -> None:
        self._maybe_del_key_ttl(key, ONLY_PARTITION)

    async def forget_old(self) -> None:
        """Drops the windows that have expired."""
        await self._del_old_keys()


class Windows:
    """Tumbling windows of one size, by scope."""

    def __init__(self, app: faust.App, name: str, *, size: timedelta, kept: timedelta) -> None:
        self.size = size
        self._table = LocalTable(app, name=name, default=int)
        self._windowed = cast("WindowWrapper", self._table.tumbling(size, expires=kept))

    def put(self, counts: Iterable[Count]) -> None:
        for count in counts:
            self._windowed.relative_to(count.starts.timestamp())[count.scope] = count.value

    def total(self, scope: str, since: datetime, until: datetime) -> int:
        """The sum of the windows that start in [since, until); both are taken down to a start of a window."""
        step = self.size.total_seconds()
        starts = int(since.timestamp() // step)
        ends = int(until.timestamp() // step)
        values = [self._windowed.relative_to(n * step)[scope].value() for n in range(starts, ends)]
        return sum(map(int, values))

    async def forget_old(self) -> None:
        await self._table.forget_old()

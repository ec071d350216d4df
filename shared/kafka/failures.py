"""Two kinds of failure: what waiting may cure (retried in place) and what it cannot (the patient's key is parked)."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

import asyncpg

# asyncpg's classes that speak of the server or of other transactions, not of our data.
TRANSIENT = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
)


def is_transient(error: BaseException) -> bool:
    return isinstance(error, TRANSIENT)


class FencedError(RuntimeError):
    """Another instance was given this partition: what was being done here must not be committed."""


class StuckError(RuntimeError):
    """Lag stands and nothing was committed: the process ends, so that its supervisor starts a fresh one."""


@dataclass(slots=True)
class ParkingLimit:
    """When too many patients fail at once it is not the patients: stop parking, pause and retry the head.

    Times are seconds of a monotonic clock.
    """

    window_s: float = 60.0
    keys: int = 20
    share: float = 0.05
    share_counts_from: int = 200
    _parked: deque[tuple[float, str]] = field(default_factory=deque)
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def saw(self, now: float, keys: int) -> None:
        self._seen.append((now, keys))
        self._forget(now)

    def parked(self, now: float, key: str) -> None:
        self._parked.append((now, key))
        self._forget(now)

    def reached(self, now: float) -> bool:
        """Whether one more parked key would be one too many."""
        self._forget(now)
        parked = len({key for _, key in self._parked})
        seen = sum(keys for _, keys in self._seen)
        return parked >= self.keys or (seen >= self.share_counts_from and parked >= seen * self.share)

    def _forget(self, now: float) -> None:
        while self._parked and self._parked[0][0] < now - self.window_s:
            self._parked.popleft()
        while self._seen and self._seen[0][0] < now - self.window_s:
            self._seen.popleft()

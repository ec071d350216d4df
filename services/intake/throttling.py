"""A rate that is kept by reading later, not by refusing: what has been read is always taken. Pure."""


class Bucket:
    """So many messages a second in the long run, and as many at once. May be overdrawn: the debt is waited off."""

    __slots__ = ("_at", "_left", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._at = now
        self._left = max(rate, 1.0)

    def take(self, now: float) -> float:
        """Takes one message in; answers how long to wait (s) before reading on, 0 when the rate is kept."""
        self._left = min(max(self.rate, 1.0), self._left + (now - self._at) * self.rate) - 1
        self._at = now
        return max(0.0, -self._left / self.rate)

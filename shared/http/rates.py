"""How often one caller may ask: a bucket of requests each, refilled at a steady rate. By caller and not by address,
since many people share an address behind a proxy, and one runaway program must not take the others' turn.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from shared.http.problems import Problem
from shared.metrics import HTTP_THROTTLED

# Of as many callers something is remembered; who has not asked for longest is forgotten, and begins with a full bucket.
CALLERS = 10_000


class CallerRates:
    """`rate` requests a second in the long run, `burst` at once; a rate of 0 sets no limit. `clock` gives seconds."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = float(burst)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, subject: str) -> None:
        """Counts one request. Raises Problem 429, with the seconds to wait, when the bucket is empty."""
        if not self._rate:
            return
        now = self._clock()
        left, at = self._left.get(subject, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._rate)
        is_taken = left >= 1.0
        self._left[subject] = (left - 1.0 if is_taken else left, now)
        self._left.move_to_end(subject)
        if len(self._left) > CALLERS:
            self._left.popitem(last=False)
        if not is_taken:
            HTTP_THROTTLED.inc()
            wait = max(1, math.ceil((1.0 - left) / self._rate))
            raise Problem(429, "Too many requests", slug="too-many-requests", headers={"Retry-After": str(wait)})

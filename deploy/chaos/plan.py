"""How much is sent, and which process is killed when: the same seed gives the same plan. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

SERVICES = ("intake", "transitions", "careplan", "notifications", "dashboard")
# Ended as a power cut would end it. An in-memory broker is not among the killed: its log dies with it by design.
TARGETS = (*SERVICES, "postgres")
DURABLE_TARGETS = (*TARGETS, "broker")


@dataclass(frozen=True, slots=True)
class Size:
    """`messages` without their duplicates; `rate` is what is offered a second, duplicates counted."""

    messages: int
    kills: int
    rate: float = 52.0
    duplicates: float = 0.3
    every_seconds: float = 4.0

    @property
    def offered(self) -> int:
        return round(self.messages * (1 + self.duplicates))

    @property
    def seconds(self) -> float:
        """How long offering takes when nothing stands still; the kills end before it does."""
        return max(self.offered / self.rate, (self.kills + 1) * self.every_seconds)

    @property
    def storm_seconds(self) -> float:
        """By when everything must be acknowledged."""
        return 2 * self.seconds + 120

    @property
    def bound_seconds(self) -> float:
        """By when a run is over, with its start, its rest and the reading of the books."""
        return self.storm_seconds + 300


FULL = Size(messages=20_000, kills=120)
CI = Size(messages=6_000, kills=30)
CI_APACHE = Size(messages=3_000, kills=10)


def sized(size: Size, messages: int | None, kills: int | None) -> Size:
    return replace(size, messages=messages or size.messages, kills=size.kills if kills is None else kills)


def plan(seed: int, kills: int, targets: Sequence[str] = TARGETS) -> list[str]:
    """Whom to kill, in order: every round kills each target once, in an order of its own."""
    random = Random(f"{seed} kills")  # noqa: S311  (repeatable on purpose)
    victims: list[str] = []
    while len(victims) < kills:
        victims += random.sample(list(targets), len(targets))
    return victims[:kills]


def shown(victims: Sequence[str]) -> str:
    """`intake 16, transitions 16 …` and the order, for whoever repeats the run."""
    counts = ", ".join(f"{name} {times}" for name, times in sorted(Counter(victims).items()))
    return f"{len(victims)} kills ({counts}): {' '.join(victims)}"

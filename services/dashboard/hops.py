"""The pipeline hop by hop, from what each service says of itself: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.dashboard.clocks import seconds_words
from shared.http import Problem

SLOW_S = 5.0
STUCK_S = 60.0
LOOKS_AWAY = frozenset({"parked", "dead letters", "held"})
"""Hops where something waits for a person: any count is worth a look, its age alone is no fault of the pipeline."""


@dataclass(frozen=True, slots=True)
class HopLine:
    name: str
    count: int
    oldest: str
    state: str
    words: str


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One service of the pipeline; `away` says why it did not answer, and `state` is the worst of its hops."""

    name: str
    hops: tuple[HopLine, ...]
    state: str
    words: str
    away: str | None


WORDS = {"good": "flowing", "slow": "slow", "stuck": "stuck", "person": "waits for a person", "away": "does not answer"}
RANK = ("good", "person", "slow", "stuck", "away")


def hop_line(said: Mapping[str, Any]) -> HopLine:
    name, count, oldest = str(said["name"]), int(said["count"]), said.get("oldest_seconds")
    state = "good"
    if count and name in LOOKS_AWAY:
        state = "person"
    elif count and oldest is not None and oldest > SLOW_S:
        state = "stuck" if oldest > STUCK_S else "slow"
    words = "empty" if not count and state == "good" else WORDS[state]
    return HopLine(shown_name(name), count, seconds_words(oldest if count else None), state, words)


def shown_name(name: str) -> str:
    """`consumer care.encounters.v1` → "reads encounters"."""
    kind, _, topic = name.partition(" care.")
    return f"reads {topic.removesuffix('.v1')}" if kind == "consumer" and topic else name


def service_line(name: str, answer: Any) -> ServiceLine:
    if isinstance(answer, Problem):
        return ServiceLine(name, (), "away", WORDS["away"], f"{answer.status} {answer.title}")
    hops = tuple(hop_line(said) for said in answer.get("hops", ()))
    state = max((hop.state for hop in hops), key=RANK.index, default="good")
    return ServiceLine(name, hops, state, WORDS[state], None)

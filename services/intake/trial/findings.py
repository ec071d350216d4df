"""What a trial counts, without anything of a patient."""

from dataclasses import dataclass
from typing import Self

from services.intake.arrival import Arrival
from services.intake.message import Verdict


@dataclass(slots=True)
class FieldCount:
    """`messages` should have the field, `filled` have it, `unreadable` of these say nothing that can be read."""

    field: str
    name: str
    required: bool
    messages: int = 0
    filled: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A message without effect: its place in the file, counted from 1."""

    number: int
    control_id: str
    trigger: str
    outcome: str
    reason: str
    location: str

    @classmethod
    def of(cls, number: int, arrival: Arrival, verdict: Verdict) -> Self:
        reason = verdict.reason or ""
        return cls(number, arrival.control_id[:50], arrival.trigger[:40], verdict.outcome, reason, verdict.location)

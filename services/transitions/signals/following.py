"""The life of a signal: raised once, cleared once. Pure: (what stands, what is found) -> what changes.

A signal that is no longer found is calm; it is cleared only when it has been calm for as long as its kind asks, and
goes on standing when it is found again before. So what comes and goes is one signal, not many.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.transitions.signals.readings import Finding
from shared.events.operations import SignalKind


@dataclass(frozen=True, slots=True)
class Standing:
    """A signal that stands open, as it was raised; `calm_since` is when it was first no longer found, None if it is."""

    id: UUID
    finding: Finding
    calm_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """`calmed` begin to be calm now, `stirred` are found again: neither is said to anyone."""

    raised: tuple[Finding, ...] = ()
    cleared: tuple[Standing, ...] = ()
    calmed: tuple[UUID, ...] = ()
    stirred: tuple[UUID, ...] = ()


def follow(
    standing: Sequence[Standing], found: Sequence[Finding], now: datetime, calm: Callable[[SignalKind], timedelta]
) -> Changes:
    wanted = {(finding.kind, finding.scope): finding for finding in found}
    known = {(signal.finding.kind, signal.finding.scope): signal for signal in standing}
    over = [signal for key, signal in known.items() if key not in wanted]
    cleared = [signal for signal in over if now - (signal.calm_since or now) >= calm(signal.finding.kind)]
    return Changes(
        raised=tuple(finding for key, finding in wanted.items() if key not in known),
        cleared=tuple(cleared),
        calmed=tuple(signal.id for signal in over if signal.calm_since is None and signal not in cleared),
        stirred=tuple(signal.id for key, signal in known.items() if key in wanted and signal.calm_since is not None),
    )

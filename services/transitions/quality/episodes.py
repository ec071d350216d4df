"""Which stays a measure counts as a single episode, by the rule of transitions' own episodes. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from services.transitions.episodes import Bed, continues
from services.transitions.quality.outcome import Candidate, is_of
from services.transitions.readmission import Stayed
from services.transitions.returns_rules import EpisodeRule

LONG_AGO = datetime.min.replace(tzinfo=UTC)


def candidates(stays: Iterable[Stayed], rule: EpisodeRule | None) -> tuple[list[Candidate], list[Candidate]]:
    """The episodes that are over, in order of time; and the stays that are over but part of a later one's episode."""
    ordered = sorted(stays, key=_place)
    if rule is None:
        return [Candidate(stay, left) for stay in ordered if (left := _left(stay))], []
    ended, merged = [], []
    for chain in _chains([stay for stay in ordered if is_of(stay, rule.classes)], rule):
        merged += [Candidate(stay, left) for stay in chain[:-1] if (left := _left(stay))]
        if left := _left(chain[-1]):
            ended.append(Candidate(chain[-1], left, tuple(chain)))
    return ended, merged


def _chains(stays: Sequence[Stayed], rule: EpisodeRule) -> list[list[Stayed]]:
    found: list[list[Stayed]] = []
    for stay in stays:
        if found and _joins(found[-1][-1], stay, rule):
            found[-1].append(stay)
        else:
            found.append([stay])
    return [sorted(chain, key=_ending) for chain in found]


def _joins(before: Stayed, stay: Stayed, rule: EpisodeRule) -> bool:
    """A stay that was never ended joins nothing: it may be a lost discharge."""
    return before.is_over and continues(Bed.of(stay.transition), Bed.of(before.transition), rule)


def _left(stay: Stayed) -> datetime | None:
    return stay.transition.discharged_at if stay.is_over else None


def _place(stay: Stayed) -> tuple[datetime, datetime, str]:
    told = stay.transition
    return (told.admitted_at or told.discharged_at or LONG_AGO, told.discharged_at or LONG_AGO, str(told.encounter_id))


def _ending(stay: Stayed) -> tuple[bool, datetime]:
    """Who is still in ends the chain."""
    left = _left(stay)
    return (left is None, left or LONG_AGO)

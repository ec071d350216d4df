"""Which scores are computed, and which one steers. Pure. Another score is a function of `Inputs`, plugged in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any

from services.transitions.disposition import base_of
from services.transitions.risk.rules import RiskRules, WrongRiskRulesError, read_rules
from services.transitions.risk.scores import SCORES, Inputs, Score
from shared.events.transitions import Risk, RiskScore, Transition

ScoreOf = Callable[[Inputs], Score]
UNSCORED = 2
"""The place in worklists of what has no score: neither first nor last."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """A stay's scores with what they were computed from."""

    scores: tuple[RiskScore, ...] = ()
    inputs: tuple[tuple[str, Any], ...] = ()


NOT_WEIGHED = Weighed()


class Scoring:
    """The scores in force, by name."""

    def __init__(self, rules: RiskRules, scores: Mapping[str, ScoreOf]) -> None:
        self.rules = rules
        self._scores = dict(scores)
        # Many stays have the same inputs, and each batch asks again for those of stays that did not change.
        self._weighed = lru_cache(maxsize=4096)(self._compute)

    def applies(self, stay: Transition) -> bool:
        return stay.encounter_class in self.rules.inputs.classes

    def weigh(self, stay: Transition, inputs: Inputs) -> Weighed:
        """Every score that fits the stay; none after a discharge that a score's own cohort left out."""
        left_to = base_of(stay.disposition.nubc) if stay.disposition else None
        return self._weighed(inputs, left_to)

    def _compute(self, inputs: Inputs, left_to: str | None) -> Weighed:
        barred = self.rules.inputs.not_after
        told = [
            _told(name, score(inputs)) for name, score in self._scores.items() if left_to not in barred.get(name, ())
        ]
        return Weighed(tuple(told), tuple(sorted(inputs.kept().items()))) if told else NOT_WEIGHED

    def steering(self, weighed: Weighed) -> Risk | None:
        """What orders worklists; None where the score that steers was not computed."""
        steering = self.rules.steering
        found = next((score for score in weighed.scores if score.name == steering.score), None)
        if found is None:
            return None
        priority = steering.priority.get(found.band, UNSCORED)
        return Risk(
            score=found.name, points=found.points, band=found.band, priority=priority, provisional=found.provisional
        )


def _told(name: str, score: Score) -> RiskScore:
    return RiskScore(
        name=name,
        version=score.version,
        points=score.points,
        lowest=score.lowest,
        highest=score.highest,
        band=score.band,
        expected=score.expected,
        provisional=score.provisional,
        missing=score.missing,
        parts=dict(score.parts),
    )


def read_scoring(plugged: Sequence[str] = (), rules: RiskRules | None = None) -> Scoring:
    """The scores that the rules name, and those plugged in as `name=module:function`.

    Raises WrongRiskRulesError where one can't be found.
    """
    rules = rules or read_rules()
    unknown = [name for name in rules.scores if name not in SCORES]
    if unknown:
        raise WrongRiskRulesError(f"scores: no score is named {', '.join(unknown)}")
    return Scoring(rules, {name: SCORES[name] for name in rules.scores} | dict(_plugged(entry) for entry in plugged))


def _plugged(entry: str) -> tuple[str, ScoreOf]:
    name, _, place = entry.partition("=")
    module, _, function = place.partition(":")
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError):
        raise WrongRiskRulesError(f"scores: {entry!r} is no name=module:function that can be imported") from None
    if not name or not callable(found):
        raise WrongRiskRulesError(f"scores: {entry!r} is no name=module:function that can be called")
    return name, found

"""The numbers behind a score, as versioned configuration: per field and level, m and u; thresholds; placeholders."""

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.intake.identity.comparing import FIELDS, Level
from services.intake.identity.placeholders import Placeholders

SHIPPED = Path(__file__).with_name("weights.yaml")
WHOLE = 1.0001
"""One, with room for rounding in the file."""


class Odds(BaseModel):
    """How often two records show this level: `m` when they are one person, `u` when they are not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    m: float = Field(gt=0, lt=1)
    u: float = Field(gt=0, lt=1)

    @cached_property
    def weight(self) -> float:
        """Natural logarithm of m/u (Fellegi and Sunter 1969)."""
        return math.log(self.m / self.u)


class Thresholds(BaseModel):
    """Sums of weights: below `review` two records are not shown to anybody, from `certain` on they are linked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    review: float
    probable: float
    certain: float

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if not self.review < self.probable < self.certain:
            raise ValueError("must rise: review, probable, certain")
        return self


class Weights(BaseModel):
    """One version of the configuration. `strong` fields count towards `strong_needed` when they agree exactly."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = Field(pattern=r"^\d{4}\.\d+$")
    source: str = Field(min_length=20)
    prior: float = Field(gt=0, lt=1, description="Chance that two records taken at random are one person.")
    thresholds: Thresholds
    strong: tuple[str, ...]
    strong_needed: int = Field(ge=1)
    similar_name: float = Field(gt=0, le=1, description="Jaro-Winkler from which a name is `near`.")
    similar_street: float = Field(gt=0, le=1, description="Jaro-Winkler from which a street is the same.")
    block_most: int = Field(ge=2, description="A blocking key that more people share tells nobody apart.")
    fields: Mapping[str, Mapping[Level, Odds]]
    placeholders: Placeholders

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if set(self.fields) != set(FIELDS):
            raise ValueError(f"fields must be {', '.join(FIELDS)}")
        for name, levels in self.fields.items():
            if Level.DIFFERENT not in levels or Level.MISSING in levels:
                raise ValueError(f"{name}: needs a level `different`, and `missing` weighs nothing")
            if max(sum(odds.m for odds in levels.values()), sum(odds.u for odds in levels.values())) > WHOLE:
                raise ValueError(f"{name}: the levels' m and u must not exceed 1 in sum")
        return self

    def weight(self, field: str, level: Level) -> float:
        """Nothing for what is missing on either side; a level that a field has not counts as a difference."""
        if level is Level.MISSING:
            return 0.0
        levels = self.fields[field]
        return levels.get(level, levels[Level.DIFFERENT]).weight

    def probability(self, score: float) -> float:
        """How likely it is that two records with this score are one person, given the prior."""
        return 1 / (1 + math.exp(-score) * (1 - self.prior) / self.prior)


def read_weights(path: Path = SHIPPED) -> Weights:
    """Raises OSError when the file can't be read, ValueError (pydantic's or yaml's) when it says something wrong."""
    return Weights.model_validate(yaml.safe_load(path.read_text()))

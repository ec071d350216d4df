"""Kinds of providers by what a source says of a visit's service and specialty. Data (`providers.yaml`), versioned."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from pydantic import Field

from services.transitions.task_rule import Part
from shared.bounded_yaml import read_yaml

SHIPPED = Path(__file__).parent / "providers.yaml"


class Providers(Part):
    """`taxonomy` are prefixes and `codes` whole codes, in capitals; `phrases` are contained in the words."""

    taxonomy: tuple[str, ...] = ()
    codes: frozenset[str] = frozenset()
    phrases: tuple[str, ...] = ()

    def hold(self, words: str) -> bool:
        said = words.strip().upper()
        by_code = said in self.codes or (bool(self.taxonomy) and said.startswith(self.taxonomy))
        return by_code or any(phrase.upper() in said for phrase in self.phrases)

    def hold_any(self, told: Iterable[str]) -> bool:
        return any(self.hold(words) for words in told)


class ProviderSets(Part):
    name: str
    version: str
    source: str
    sets: Mapping[str, Providers] = Field(min_length=1)


@lru_cache
def read_providers(path: Path = SHIPPED) -> ProviderSets:
    """Raises pydantic.ValidationError naming the field and what it wants."""
    return ProviderSets.model_validate(read_yaml(path.read_text(encoding="utf-8")))

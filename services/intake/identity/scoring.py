"""Two people's score, explained field by field, and what may be done about it. Pure."""

from enum import StrEnum
from typing import NamedTuple

from services.intake.identity.comparing import Level, compare, disagreements
from services.intake.identity.traits import Traits
from services.intake.identity.weights import Weights


class Grade(StrEnum):
    """Codes of FHIR's match-grade (http://terminology.hl7.org/CodeSystem/match-grade)."""

    CERTAIN = "certain"
    PROBABLE = "probable"
    POSSIBLE = "possible"
    CERTAINLY_NOT = "certainly-not"


class Guard(StrEnum):
    """Why two people are never linked without a person's decision, however alike they are (domain: identity)."""

    TWINS = "twins"
    """Same birth date and family or address, other given name."""
    GENERATIONS = "generations"
    """Junior and senior: the suffixes differ."""
    SEX = "sex"
    SAME_AUTHORITY = "same-authority"
    """One facility gave them two numbers: it must say itself that they are one (A40)."""
    FEW_STRONG_FIELDS = "few-strong-fields"


class Part(NamedTuple):
    field: str
    level: Level
    weight: float


class Score(NamedTuple):
    """`total` is the sum of the parts' weights; `guards` say why it may not be acted on alone."""

    total: float
    parts: tuple[Part, ...]
    grade: Grade
    guards: tuple[Guard, ...]
    probability: float


def score(one: Traits, other: Traits, weights: Weights) -> Score | None:
    """None where one of them is a placeholder: nobody is matched with nobody in particular."""
    if weights.placeholders.names_nobody(one) or weights.placeholders.names_nobody(other):
        return None
    one, other = (_trusted(person, weights) for person in (one, other))
    levels = compare(one, other, weights)
    parts = tuple(Part(name, level, weights.weight(name, level)) for name, level in levels.items())
    total = sum(part.weight for part in parts)
    guards = tuple(_guards(one, other, levels, weights))
    return Score(total, parts, _grade(total, guards, weights), guards, weights.probability(total))


def _trusted(person: Traits, weights: Weights) -> Traits:
    return person._replace(birth_date=weights.placeholders.known_birth_date(person.birth_date))


def _guards(one: Traits, other: Traits, levels: dict[str, Level], weights: Weights) -> list[Guard]:
    found: list[Guard] = []
    is_near = levels["family"] is Level.EXACT or levels["address"] is Level.EXACT
    is_misspelt = levels["given"] is Level.NEAR and levels["ssn4"] is Level.EXACT
    if levels["birth_date"] is Level.EXACT and is_near and levels["given"] is not Level.EXACT and not is_misspelt:
        found.append(Guard.TWINS)
    if one.suffix != other.suffix:
        found.append(Guard.GENERATIONS)
    if "sex" in disagreements(levels):
        found.append(Guard.SEX)
    if one.authorities & other.authorities:
        found.append(Guard.SAME_AUTHORITY)
    if sum(levels[name] is Level.EXACT for name in weights.strong) < weights.strong_needed:
        found.append(Guard.FEW_STRONG_FIELDS)
    return found


def _grade(total: float, guards: tuple[Guard, ...], weights: Weights) -> Grade:
    limits = weights.thresholds
    if total >= limits.certain and not guards:
        return Grade.CERTAIN
    if total >= limits.probable:
        return Grade.PROBABLE
    return Grade.POSSIBLE if total >= limits.review else Grade.CERTAINLY_NOT

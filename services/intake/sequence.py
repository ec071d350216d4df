"""Whether what comes next only adds to what is known of a stay, or all its facts must be folded again. Pure."""

from collections.abc import Sequence

from services.intake.encounter import EncounterState, in_order
from services.intake.message import StayFact
from services.intake.movements import is_new


def follows(state: EncounterState, fact: StayFact) -> bool:
    """Whether the fact only adds to everything known: otherwise all facts must be folded again."""
    if fact.movement and not is_new(state, fact.movement):
        return False
    return not is_late(state, fact)


def is_late(state: EncounterState, fact: StayFact) -> bool:
    """Whether the fact sorts before something known."""
    return state.watermark is not None and fact.order <= state.watermark


def all_follow(state: EncounterState, told: Sequence[StayFact]) -> bool:
    """Whether the facts only add to what is known, one after the other."""
    if len(told) == 1:
        return follows(state, told[0])
    movements = [fact.movement.id for fact in told if fact.movement]
    return (
        len(set(movements)) == len(movements)
        and all(follows(state, fact) for fact in told)
        and list(told) == in_order(told)
    )

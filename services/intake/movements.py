"""Movements (ZBE of IHE PAM, ITI-31): what is told of one movement counts once, wherever its messages stand. Pure.

A plain feed says what is; with movement ids it can also say what was: insert, update or cancel one of several moves of
the past. So the facts of a movement are settled into one before a stay is folded: a cancelled movement has never been,
an updated one was always as it is now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.intake.encounter import EncounterState, in_order
from services.intake.message import Action, Movement, Rank, StayFact
from services.intake.triggers import AMENDS_MOVEMENT, MOVEMENT_GONE, RANKS

# They end or delete more than a movement, whichever one they name.
_OF_THE_WHOLE_STAY = frozenset({"A11", "A23", "A25", "A26", "A27", "A38"})


def settle(facts: Iterable[StayFact]) -> list[StayFact]:
    """The facts in their order, each movement's as one; what is left of its further messages amends the stay."""
    ordered = in_order(facts)
    told: dict[str, list[StayFact]] = {}
    for fact in ordered:
        if fact.movement:
            told.setdefault(fact.movement.id, []).append(fact)
    if not told:
        return ordered
    are_named = any(fact.movement and fact.movement.action is Action.INSERT for fact in ordered)  # see is_new
    standing: list[StayFact] = []
    rest = [fact for fact in ordered if fact.movement is None]
    for its in told.values():
        movement, amendments = _settle_one(its, are_named=are_named)
        standing += [movement] if movement else []
        rest += amendments
    return in_order([*rest, *_placed(standing)])


def _settle_one(its: Sequence[StayFact], *, are_named: bool) -> tuple[StayFact | None, list[StayFact]]:
    """The movement as it stands, if it does, and what else its messages say of the stay."""
    standing: StayFact | None = None
    rest: list[StayFact] = []
    for fact in its:
        movement = fact.movement
        if movement is None:
            continue
        if movement.action is Action.CANCEL:
            standing = None
            rest += _after_cancel(fact, movement, are_named=are_named)
        elif standing is None:
            standing = _as_updated(fact, movement)
        else:
            standing = _updated(standing, fact, movement)
            rest += [] if movement.is_historic else [_plain(fact, AMENDS_MOVEMENT)]
    return standing, rest


def _after_cancel(fact: StayFact, movement: Movement, *, are_named: bool) -> list[StayFact]:
    """Which movement is cancelled, its id says: the trigger's own rule, which takes back the last one, is for senders
    who name no movement but in their cancels. A trigger that takes nothing back (A01 with ZBE-4 CANCEL) must not do
    what the message cancels.
    """
    takes_back = RANKS[fact.trigger] == Rank.CANCEL
    if fact.trigger in _OF_THE_WHOLE_STAY or (takes_back and not are_named):
        return [_plain(fact, fact.trigger)]
    return [] if movement.is_historic else [_plain(fact, MOVEMENT_GONE)]


def _updated(standing: StayFact, fact: StayFact, movement: Movement) -> StayFact:
    updated = replace(
        standing,
        movement=movement,
        said={**standing.said, **fact.said},
        moments={**standing.moments, **fact.moments},
        occurred=fact.occurred if movement.starts else standing.occurred,
        occurred_from=fact.occurred_from if movement.starts else standing.occurred_from,
    )
    return _as_updated(updated, movement)


def _as_updated(fact: StayFact, movement: Movement) -> StayFact:
    """ZBE-6 says what an updated movement is; an insert is what its own trigger says."""
    if movement.action is not Action.UPDATE or movement.original not in RANKS:
        return fact
    rank = RANKS[movement.original]
    return replace(fact, trigger=movement.original, order=fact.order._replace(rank=rank))


def _placed(movements: Sequence[StayFact]) -> list[StayFact]:
    """A movement of the past has its place behind the last one that began before it, not where it was told."""
    current = [one for one in movements if not _is_historic(one)]
    placed = [_plain(one, one.trigger) for one in current]
    for past in movements:
        starts = past.movement.starts if past.movement else ""
        if not _is_historic(past) or not starts:
            continue
        before = [one.order.recorded for one in current if one.movement and "" < one.movement.starts <= starts]
        order = past.order._replace(recorded=max([starts, *before]))
        placed.append(replace(_plain(past, past.trigger), order=order))
    return placed


def _is_historic(fact: StayFact) -> bool:
    return bool(fact.movement and fact.movement.is_historic and fact.movement.starts)


def _plain(fact: StayFact, trigger: str) -> StayFact:
    return replace(fact, trigger=trigger, movement=None)


def remember(state: EncounterState, facts: Iterable[StayFact]) -> EncounterState:
    """The state with the movements of these facts known."""
    told = [fact.movement for fact in facts if fact.movement]
    if not told:
        return state
    return state.but(
        movements=tuple(sorted({*state.movements, *(movement.id for movement in told)})),
        has_history=state.has_history or any(movement.is_historic for movement in told),
        has_inserts=state.has_inserts or any(movement.action is Action.INSERT for movement in told),
    )


def is_new(state: EncounterState, movement: Movement) -> bool:
    """Whether it is one more movement behind all that are known: anything else needs all facts of the stay.

    So does the first insert after cancels: only now it is known that the sender names its movements, and what those
    cancels took back.
    """
    if movement.action is not Action.INSERT or movement.is_historic or state.has_history:
        return False
    if state.movements and not state.has_inserts:
        return False
    return movement.id not in state.movements

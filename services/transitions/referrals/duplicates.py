"""Whether the same service was asked for already. Only a suspicion: a person decides; stat is never held. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from services.transitions.referrals.referral import BY_RULE, Deed, Referral
from services.transitions.referrals.rules import LoopRules
from services.transitions.referrals.states import Kind, State

ANSWERED = frozenset({State.COMPLETED, State.CLOSED})
NO_RIVAL = frozenset({State.DRAFT, State.REJECTED, State.FAILED})


@dataclass(frozen=True, slots=True)
class Suspicion:
    """`has_result`: the other one was answered already; its result is to be shown, nothing is cancelled quietly."""

    of: UUID
    has_result: bool


def suspect(new: Referral, others: Iterable[Referral], rules: LoopRules) -> Suspicion | None:
    """The youngest other referral of the patient for the same service within the look-back, open or answered."""
    group = rules.group_of(new.terms.service_code, new.terms.service)
    if not group or new.state is State.DRAFT:
        return None
    rivals = [other for other in others if _rivals(new, other, group, rules)]
    if not rivals:
        return None
    nearest = max(rivals, key=lambda other: (other.requested_at, other.id))
    return Suspicion(nearest.id, nearest.state in ANSWERED)


def suspecting(new: Referral, found: Suspicion) -> Deed:
    return Deed(
        kind=Kind.SUSPECT,
        at=new.requested_at,
        event_id=found.of,
        source=BY_RULE,
        said={"duplicate_of": str(found.of)},
        historical=new.is_historical,
    )


def _rivals(new: Referral, other: Referral, group: str, rules: LoopRules) -> bool:
    if other.id in {new.id, new.terms.replaces} or other.state in NO_RIVAL:
        return False
    if not (other.is_open or other.state in ANSWERED):
        return False
    apart = abs(new.requested_at - other.requested_at)
    same = rules.group_of(other.terms.service_code, other.terms.service) == group
    return same and timedelta(0) <= apart <= rules.look_back(group)

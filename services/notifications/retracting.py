"""Taking back: a retraction goes to exactly those endpoints that got the original, or may have got it. Pure.

What was not sent yet is dropped without a word; what failed before it reached anyone needs none.
"""

from dataclasses import dataclass, field
from uuid import UUID

from services.notifications.announcement import Announcement
from services.notifications.history import History, Told

DISCHARGED = "care.encounter.discharged.v1"


@dataclass(slots=True)
class TakenBack:
    """`owed`: endpoint -> deliveries it must be told do not hold; `dropped`: not sent and never will be."""

    owed: dict[UUID, list[Told]] = field(default_factory=dict)
    dropped: list[Told] = field(default_factory=list)


def take_back(notice: Announcement, history: History) -> TakenBack:
    """What the notice's `retracts` mean for each endpoint; corrections fall with what they corrected."""
    out = TakenBack()
    for one in history.standing(history.with_corrections(notice.retracts)):
        if one.may_have_arrived:
            out.owed.setdefault(one.endpoint_id, []).append(one)
        elif one.can_be_dropped:
            out.dropped.append(one)
    return out


def corrected(notice: Announcement, history: History) -> tuple[UUID | None, list[Told]]:
    """The event that the notice amends and the deliveries of it that stand."""
    original = notice.amends
    if notice.corrects_discharge:
        original = history.last_of_type(notice.encounter_id, DISCHARGED)
    if original is None:
        return None, []
    return original, [one for one in history.standing([original]) if one.stands]

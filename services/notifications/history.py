"""What became of the notices of a stay so far: whom they went to, whom they may have reached. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

OPEN = frozenset({"waiting", "queued", "delivering"})
TOLD = frozenset({"delivering", "delivered", "acknowledged"})


@dataclass(slots=True, kw_only=True)
class Told:
    """One earlier delivery. `reached`: an attempt may have arrived, whatever came back."""

    delivery_id: UUID
    event_id: UUID
    event_type: str
    endpoint_id: UUID
    organisation: str
    status: str
    version: int = 1
    reached: bool = False
    retracted_by: UUID | None = None

    @property
    def may_have_arrived(self) -> bool:
        return self.reached or self.status in TOLD

    @property
    def can_be_dropped(self) -> bool:
        return not self.may_have_arrived and self.status in OPEN

    @property
    def stands(self) -> bool:
        """The recipient knows it or will, and it was not taken back."""
        return self.retracted_by is None and (self.may_have_arrived or self.status in OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One earlier notice, told to anyone or not."""

    event_id: UUID
    event_type: str
    encounter_id: UUID | None
    occurred_at: datetime
    thread: UUID | None = None
    amends: UUID | None = None


@dataclass(slots=True)
class History:
    """The notices of the stays that a batch speaks of, oldest first, and their deliveries."""

    said: list[Said] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)

    def knows(self, events: Iterable[UUID]) -> bool:
        wanted = set(events)
        return any(one.event_id in wanted for one in self.said)

    def with_corrections(self, events: Iterable[UUID]) -> frozenset[UUID]:
        """These events and the notices that corrected them: what falls with the original falls with it."""
        wanted = set(events)
        return frozenset(wanted | {one.event_id for one in self.said if one.amends in wanted})

    def standing(self, events: Iterable[UUID]) -> Iterator[Told]:
        wanted = set(events)
        return (one for one in self.told if one.event_id in wanted and one.retracted_by is None)

    def of_thread(self, thread: UUID | None, types: Collection[str]) -> tuple[UUID, ...]:
        """The notices of these types about that referral or appointment."""
        return tuple(one.event_id for one in self.said if one.thread == thread and one.event_type in types)

    def is_over(self, notice: Said, ends: Mapping[str, Collection[str]]) -> bool:
        """Whether something that takes the notice back, and happened after it, was heard before it."""
        later = (one for one in self.said if one.thread == notice.thread and one.occurred_at > notice.occurred_at)
        return notice.thread is not None and any(notice.event_type in ends.get(one.event_type, ()) for one in later)

    def last_of_type(self, encounter_id: UUID | None, event_type: str) -> UUID | None:
        """The newest notice of that type of the stay, if it was not taken back from everyone."""
        found = [one for one in self.said if one.encounter_id == encounter_id and one.event_type == event_type]
        return found[-1].event_id if found else None

    def repeats(self, endpoint_id: UUID, notice: Said) -> bool:
        """The endpoint was told the same of the stay: the type and the minute are equal, and it still stands."""
        same = {one.event_id for one in self.said if _same_news(one, notice)} - {notice.event_id}
        return any(one.endpoint_id == endpoint_id and one.event_id in same and one.stands for one in self.told)


def _same_news(one: Said, other: Said) -> bool:
    return (
        one.event_type == other.event_type
        and one.encounter_id == other.encounter_id
        and one.thread == other.thread
        and one.occurred_at.replace(second=0, microsecond=0) == other.occurred_at.replace(second=0, microsecond=0)
    )

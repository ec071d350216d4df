"""What became of the notices of a stay so far: whom they went to, whom they may have reached. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
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


News = tuple[str, UUID | None, UUID | None, datetime]
"""What makes two notices the same news: type, stay, thread, and the minute."""


@dataclass(slots=True)
class History:
    """The notices of the stays that a batch speaks of, oldest first, and their deliveries. A batch asks for each of
    its notices, so everything is found by its key.
    """

    said: list[Said] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    _events: set[UUID] = field(init=False, default_factory=set)
    _newest: dict[tuple[UUID | None, str], UUID] = field(init=False, default_factory=dict)
    _corrections: dict[UUID, list[UUID]] = field(init=False, default_factory=dict)
    _threads: dict[UUID | None, list[Said]] = field(init=False, default_factory=dict)
    _same: dict[News, list[UUID]] = field(init=False, default_factory=dict)
    _told: dict[UUID, list[tuple[int, Told]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        for said in self.said:
            self._note_said(said)
        for place, told in enumerate(self.told):
            self._told.setdefault(told.event_id, []).append((place, told))

    def add(self, said: Said, told: Iterable[Told]) -> None:
        """A notice of this batch, and whom it goes to."""
        self.said.append(said)
        self._note_said(said)
        for one in told:
            self._told.setdefault(one.event_id, []).append((len(self.told), one))
            self.told.append(one)

    def _note_said(self, said: Said) -> None:
        self._events.add(said.event_id)
        self._newest[said.encounter_id, said.event_type] = said.event_id
        self._same.setdefault(_news(said), []).append(said.event_id)
        if said.amends is not None:
            self._corrections.setdefault(said.amends, []).append(said.event_id)
        self._threads.setdefault(said.thread, []).append(said)

    def knows(self, events: Iterable[UUID]) -> bool:
        return not self._events.isdisjoint(events)

    def with_corrections(self, events: Iterable[UUID]) -> frozenset[UUID]:
        """These events and the notices that corrected them: what falls with the original falls with it."""
        wanted = set(events)
        return frozenset(wanted.union(*(self._corrections.get(event, ()) for event in wanted)))

    def standing(self, events: Iterable[UUID]) -> Iterator[Told]:
        """The deliveries of these events that were not taken back, in the order of queueing."""
        found = [entry for event in set(events) for entry in self._told.get(event, ())]
        return (one for _, one in sorted(found, key=itemgetter(0)) if one.retracted_by is None)

    def of_thread(self, thread: UUID | None, types: Collection[str]) -> tuple[UUID, ...]:
        """The notices of these types about that referral or appointment."""
        return tuple(one.event_id for one in self._threads.get(thread, ()) if one.event_type in types)

    def is_over(self, notice: Said, ends: Mapping[str, Collection[str]]) -> bool:
        """Whether something that takes the notice back, and happened after it, was heard before it."""
        if notice.thread is None:
            return False
        later = (one for one in self._threads.get(notice.thread, ()) if one.occurred_at > notice.occurred_at)
        return any(notice.event_type in ends.get(one.event_type, ()) for one in later)

    def last_of_type(self, encounter_id: UUID | None, event_type: str) -> UUID | None:
        """The newest notice of that type of the stay, if it was not taken back from everyone."""
        return self._newest.get((encounter_id, event_type))

    def repeats(self, endpoint_id: UUID, notice: Said) -> bool:
        """The endpoint was told the same of the stay: the type and the minute are equal, and it still stands."""
        same = (event for event in self._same.get(_news(notice), ()) if event != notice.event_id)
        told = (one for event in same for _, one in self._told.get(event, ()))
        return any(one.endpoint_id == endpoint_id and one.stands for one in told)


def _news(one: Said) -> News:
    return one.event_type, one.encounter_id, one.thread, one.occurred_at.replace(second=0, microsecond=0)

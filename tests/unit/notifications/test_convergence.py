"""Whatever is told, dropped, lost or taken back in between: who believes something believes what holds."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.notifications.announcing import announcement_of
from services.notifications.history import History, Told
from services.notifications.planning import decide
from shared.events import AnyEvent
from shared.events.encounters import DischargeCancelled
from tests.unit.notifications.stories import NOW, Stay, directory, endpoint

ENDPOINTS = [endpoint("primary"), endpoint("hospitalists"), endpoint("exchange")]
KNOWN = directory(*ENDPOINTS)
# What becomes of open deliveries between two events: nothing, under way, arrived, lost on the way, never connected.
FATES = st.sampled_from(["wait", "delivering", "delivered", "reached", "failed"])


class World:
    """Recipients' servers, as they see it: `believed` is what each was told and not told back."""

    def __init__(self) -> None:
        self.history = History()
        self.believed: dict[UUID, set[UUID]] = {one.id: set() for one in ENDPOINTS}
        self.waiting: list[tuple[Told, tuple[UUID, ...]]] = []

    def hear(self, event: AnyEvent) -> None:
        said = announcement_of(event)
        assert said is not None
        decision = decide(said, KNOWN, self.history, NOW)
        assert decision is not None
        self.waiting += [(one.told, one.retracts) for one in decision.planned]

    def befall(self, fate: str) -> None:
        """One fate for the first open delivery of each endpoint, for order is kept per endpoint and patient."""
        for one in ENDPOINTS:
            lane = [
                entry for entry in self.waiting if entry[0].endpoint_id == one.id and entry[0].status != "retracted"
            ]
            if lane:
                self._meet(*lane[0], fate)

    def _meet(self, told: Told, retracts: tuple[UUID, ...], fate: str) -> None:
        match fate:
            case "delivering":
                told.status = "delivering"
            case "delivered":
                self._arrive(told, retracts)
                told.status = "delivered"
                self.waiting.remove((told, retracts))
            case "reached":
                self._arrive(told, retracts)
                told.status, told.reached = "queued", True
            case "failed" if not told.may_have_arrived:
                told.status = "queued"
            case _:
                pass

    def _arrive(self, told: Told, retracts: tuple[UUID, ...]) -> None:
        self.believed[told.endpoint_id] = (self.believed[told.endpoint_id] | {told.event_id}) - set(retracts)

    def calm(self) -> None:
        for _ in range(len(self.waiting) + 1):
            self.befall("delivered")


@given(st.lists(st.tuples(st.sampled_from(["discharge", "cancel"]), st.lists(FATES, max_size=3)), max_size=12))
def test_in_the_end_each_endpoint_believes_what_holds(story: list[tuple[str, list[str]]]) -> None:
    world, stay = World(), Stay()
    holds: UUID | None = None
    cancels: set[UUID] = set()
    for act, fates in story:
        if act == "discharge" and holds is None:
            event = stay.discharged()
            holds = event.id
        elif act == "cancel" and holds is not None:
            event = stay.says(DischargeCancelled, retracts=(holds,))
            cancels.add(event.id)
            holds = None
        else:
            continue
        world.hear(event)
        for fate in fates:
            world.befall(fate)
    world.calm()
    wanted = {holds} if holds else set()
    assert {endpoint_id: known - cancels for endpoint_id, known in world.believed.items()} == {
        one.id: wanted for one in ENDPOINTS
    }

"""However a patient's stream is cut into batches and repeated, the plans end the same."""

from itertools import pairwise
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.careplan.course import Course
from services.careplan.plan import follow
from shared.events import AnyEvent
from shared.events.plans import CarePlan
from shared.events.transitions import ReadmissionDetected, ReadmissionWithdrawn, TaskStatus, TransitionStatus
from tests.unit.careplan.stories import Stay, named
from tests.unit.careplan.test_plan import CATALOGUE

CODES = ("contact", "visit", "medication-reconciliation", "something-else")
STATUSES = (TransitionStatus.FOLLOWING, TransitionStatus.ON_HOLD, TransitionStatus.CLOSED, TransitionStatus.REVOKED)
Move = tuple[int, TransitionStatus | tuple[str, TaskStatus] | bool]


@st.composite
def streams(draw: st.DrawFn) -> list[AnyEvent]:
    """Two stays of one patient, moving in turn; the second may be told as a readmission of the first, or as none."""
    stays = [Stay("one"), Stay("two", disposition="03")]
    events = [stay.opened() for stay in stays]
    tasks = st.tuples(st.sampled_from(CODES), st.sampled_from(list(TaskStatus)))
    moves: st.SearchStrategy[Move] = st.tuples(st.integers(0, 1), st.sampled_from(STATUSES) | tasks | st.booleans())
    for which, what in draw(st.lists(moves, max_size=25)):
        stay = stays[which]
        if isinstance(what, TransitionStatus):
            events.append(stay.becomes(what))
        elif isinstance(what, bool):
            events.append((stays[1].readmission_of if what else stays[1].no_readmission_of)(stays[0]))
        else:
            code, status = what
            events.append(stay.task(code, status))
    return events


def ending(courses: dict[UUID, Course]) -> dict[UUID, CarePlan | None]:
    """The plans without their version numbers, which count how often somebody was told."""
    return {
        key: course.plan.model_copy(update={"version": 0}) if course.plan else None for key, course in courses.items()
    }


@given(streams(), st.data())
@settings(max_examples=200, deadline=None)
def test_batches_do_not_matter(events: list[AnyEvent], data: st.DataObject) -> None:
    whole = follow({}, events, CATALOGUE).courses
    courses: dict[UUID, Course] = {}
    left = events
    while left:
        size = data.draw(st.integers(1, len(left)))
        courses = follow(courses, left[:size], CATALOGUE).courses
        left = left[size:]
    assert ending(courses) == ending(whole)


@given(streams())
@settings(max_examples=100, deadline=None)
def test_hearing_the_last_version_again_tells_nothing(events: list[AnyEvent]) -> None:
    courses = follow({}, events, CATALOGUE).courses
    assert follow(courses, events[-1:], CATALOGUE).versions == []


@given(streams())
@settings(max_examples=100, deadline=None)
def test_versions_count_up_and_no_two_neighbours_say_the_same(events: list[AnyEvent]) -> None:
    told = follow({}, events, CATALOGUE).versions
    for plan_id in {v.plan.id for v in told}:
        plans = [v.plan for v in told if v.plan.id == plan_id]
        assert [plan.version for plan in plans] == list(range(1, len(plans) + 1))
        assert all(a.model_copy(update={"version": b.version}) != b for a, b in pairwise(plans))


@given(streams())
@settings(max_examples=100, deadline=None)
def test_a_withdrawn_readmission_holds_no_plan(events: list[AnyEvent]) -> None:
    first, second = named("one-transition"), named("two-transition")
    told = [e.fact for e in events if isinstance(e.fact, ReadmissionDetected | ReadmissionWithdrawn)]
    course = follow({}, events, CATALOGUE).courses[first]
    if not told or isinstance(told[-1], ReadmissionWithdrawn):
        assert course.held_by is None
        assert course.superseded_by is None or course.is_suspended
    assert course.held_by in {None, second}

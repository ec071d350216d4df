"""Late, repeated and shuffled feeds converge: any order of arrival ends in the same state, and what was announced and
not taken back is the same.
"""

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import permutations
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.announcing import TAKEN_BACK_BY
from services.intake.arrival import read_arrival
from services.intake.chart import Chart, Effect
from services.intake.encounter import EncounterState, state_as_json, state_from_json
from services.intake.feeds import Feeds
from services.intake.lifecycle import fold
from services.intake.message import StayFact
from shared.events.encounters import Discharged, EncounterDeleted, EncounterFact, EncounterUpdated
from tests.unit.intake.messages import ICU, STEP_DOWN, WARD, adt, fact

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1000"))
RECORD = "record"
NO_FEEDS = Feeds()
CANCELS = {*TAKEN_BACK_BY.values(), EncounterDeleted} - {EncounterUpdated}


@dataclass
class Listener:
    """What somebody who hears every event believes to stand."""

    standing: dict[UUID, str] = field(default_factory=dict)

    def hear(self, effect: Effect) -> None:
        for draft in effect.drafts:
            assert isinstance(draft.fact, EncounterFact)
            for retracted in draft.fact.retracts:
                del self.standing[retracted]  # only what stands can be taken back, and only once
            if draft.fact.amends:
                assert draft.fact.amends in self.standing
            elif not isinstance(draft.fact, EncounterUpdated) and type(draft.fact) not in CANCELS:
                self.standing[draft.id] = draft.fact.TYPE


def tell(messages: list[bytes]) -> tuple[EncounterState, Listener, Chart]:
    """One message after the other, each in a group of its own, against one chart that forgets nothing."""
    chart, listener, taken = Chart({RECORD: RECORD}), Listener(), set()
    for raw in messages:
        if raw in taken:  # an exact duplicate never reaches the rules
            continue
        taken.add(raw)
        arrival = read_arrival(raw, NO_FEEDS, "127.0.0.1", received=datetime(2026, 7, 1, tzinfo=UTC))
        listener.hear(chart.take(arrival, RECORD))
    [stay] = chart.stays.values()
    return stay.state, listener, chart


NAMED_VECTOR = [
    adt("A03", control_id="1", recorded="20260302150500", discharged="20260302150000", disposition="01"),
    adt("A13", control_id="2", recorded="20260302153000"),
    adt("A03", control_id="3", recorded="20260302154000", discharged="20260302150000", disposition="01"),
]


@pytest.mark.parametrize("order", list(permutations(NAMED_VECTOR)))
def test_the_named_vector_ends_discharged_in_all_six_orders(order: tuple[bytes, ...]) -> None:
    state, listener, _ = tell(list(order))
    assert state.status == "finished"
    assert list(listener.standing.values()) == [Discharged.TYPE]


PLACES = ("4W^401^A", "ICU^2^B", "5E^510^C")
TRIGGERS = ("A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A11", "A12", "A13", "A16", "A21", "A22", "A23",
            "A25", "A38", "A52", "A53", "A54")  # fmt: skip


@st.composite
def stays(draw: st.DrawFn) -> list[bytes]:
    count = draw(st.integers(1, 7))
    return [
        adt(
            draw(st.sampled_from(TRIGGERS)),
            control_id=str(number),
            # Few minutes, so that ties are common.
            recorded=f"2026030209{draw(st.integers(0, 8)):02d}",
            patient_class=draw(st.sampled_from("IEO")),
            location=draw(st.sampled_from(PLACES)),
            admitted=draw(st.sampled_from(["", "202603020900", "202603020905"])),
            discharged=draw(st.sampled_from(["", '""', "202603021500", "202603021510"])),
            disposition=draw(st.sampled_from(["", "01", "03", "30"])),
        )
        for number in range(count)
    ]


@settings(max_examples=EXAMPLES)
@given(stays(), st.data())
def test_any_permutation_and_repetition_ends_the_same(messages: list[bytes], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(messages + data.draw(st.lists(st.sampled_from(messages), max_size=3))))
    state, listener, chart = tell(messages)
    other_state, other_listener, other_chart = tell(list(shuffled))
    assert other_state == state
    assert sorted(other_listener.standing.values()) == sorted(listener.standing.values())
    assert other_chart.patients[RECORD].record == chart.patients[RECORD].record
    [stay], [other] = chart.stays.values(), other_chart.stays.values()
    assert [(a.key, a.at, a.detail) for a in stay.announced] == [(a.key, a.at, a.detail) for a in other.announced]


@st.composite
def facts(draw: st.DrawFn) -> list[StayFact]:
    return [
        fact(
            draw(st.sampled_from(TRIGGERS)),
            f"09:{draw(st.integers(0, 5)):02d}",
            digest=str(number),
            location=draw(st.sampled_from([WARD, ICU, STEP_DOWN])),
        )
        for number in range(draw(st.integers(1, 8)))
    ]


@settings(max_examples=EXAMPLES // 10)
@given(facts(), st.integers(0, 8))
def test_folding_on_from_a_state_is_folding_from_the_beginning(told: list[StayFact], cut: int) -> None:
    ordered = sorted(told, key=lambda one: one.order)
    assert fold(ordered[cut:], fold(ordered[:cut])) == fold(ordered)


@settings(max_examples=EXAMPLES // 10)
@given(facts())
def test_facts_survive_their_storage(told: list[StayFact]) -> None:
    assert [StayFact.from_json(one.as_json()) for one in told] == told
    state = fold(told)
    assert state_from_json(orjson.loads(state_as_json(state))) == state

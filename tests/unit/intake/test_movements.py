"""Movements with ids (ZBE): what was inserted, updated and cancelled, in whatever order it is told."""

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.encounter import EMPTY, EncounterState, state_as_json, state_from_json
from services.intake.lifecycle import apply, fold
from services.intake.message import Action, Movement, Reason, StayFact
from services.intake.sequence import all_follow, follows
from shared.events.people import EncounterStatus as S
from tests.unit.intake.messages import ICU, STEP_DOWN, WARD, adt, at, fact
from tests.unit.intake.statements import read
from tests.unit.intake.test_convergence import PLACES, TRIGGERS, tell

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "500"))
INSERT, UPDATE, CANCEL = Action.INSERT, Action.UPDATE, Action.CANCEL


def moved(
    trigger: str, recorded: str, number: str, action: Action = INSERT, starts: str = "", *, past: bool = False,
    original: str = "", **said: object,
) -> StayFact:  # fmt: skip
    """A fact about movement `number`, which began when it was recorded unless `starts` says otherwise."""
    began = at(starts or recorded)
    told = fact(trigger, recorded, starts or recorded, digest=f"{number}{action}", **said)
    sortable = began.replace("+00:00", ".000000+00:00")
    return replace(told, movement=Movement(f"{number}^KIS", action, past, sortable, original))


ADMIT = moved("A01", "09:00", "1", location=WARD)
TO_ICU = moved("A02", "10:00", "2", location=ICU)
TO_STEP_DOWN = moved("A02", "11:00", "3", location=STEP_DOWN)
HOME = moved("A03", "15:05", "9", starts="15:00", disposition={"nubc": "01"}, discharged_at=at("15:00"))

ADMITTED = ("admitted::0", "09:00")
IN_ICU = ("transferred:ICU^2^B:0", "10:00")
IN_STEP_DOWN = ("transferred:5E^510^C:0", "11:00")

STORIES: list[tuple[str, list[StayFact], S, dict[str, str], list[tuple[str, str]]]] = [
    ("inserted", [ADMIT, TO_ICU], S.IN_PROGRESS, ICU, [ADMITTED, IN_ICU]),
    (
        "inserted twice under two control ids",
        [ADMIT, TO_ICU, replace(moved("A02", "10:30", "2", location=ICU), occurred=at("10:00"))],
        S.IN_PROGRESS, ICU, [ADMITTED, IN_ICU],
    ),
    (
        "cancelled",
        [ADMIT, TO_ICU, moved("A12", "10:30", "2", CANCEL, location=WARD)],
        S.IN_PROGRESS, WARD, [ADMITTED],
    ),
    (
        "one of the middle cancelled: the last one stands",
        [ADMIT, TO_ICU, TO_STEP_DOWN, moved("A12", "12:00", "2", CANCEL, past=True, location=WARD)],
        S.IN_PROGRESS, STEP_DOWN, [ADMITTED, IN_STEP_DOWN],
    ),
    (
        "a cancel of a move that was never told takes no other one back",
        [ADMIT, TO_ICU, moved("A12", "12:00", "7", CANCEL, past=True, location=WARD)],
        S.IN_PROGRESS, ICU, [ADMITTED, IN_ICU],
    ),
    (
        "a forgotten move of the past comes between",
        [ADMIT, TO_STEP_DOWN, moved("A02", "12:00", "2", starts="10:00", past=True, location=ICU)],
        S.IN_PROGRESS, STEP_DOWN, [ADMITTED, IN_ICU, IN_STEP_DOWN],
    ),
    (
        "a forgotten move after the end",
        [ADMIT, HOME, moved("A02", "16:00", "2", starts="10:00", past=True, location=ICU)],
        S.FINISHED, ICU, [ADMITTED, IN_ICU, ("discharged::0", "15:00")],
    ),
    (
        "updated: it went elsewhere",
        [ADMIT, TO_ICU, moved("Z99", "12:00", "2", UPDATE, starts="10:00", original="A02", location=STEP_DOWN)],
        S.IN_PROGRESS, STEP_DOWN, [ADMITTED, ("transferred:5E^510^C:0", "10:00")],
    ),
    (
        "updated: it was at another time",
        [ADMIT, TO_ICU, moved("Z99", "12:00", "2", UPDATE, starts="10:20", original="A02", location=ICU)],
        S.IN_PROGRESS, ICU, [ADMITTED, ("transferred:ICU^2^B:0", "10:20")],
    ),
    (
        "a move of the past updated: today's place stands",
        [ADMIT, TO_ICU, TO_STEP_DOWN, moved("Z99", "12:00", "2", UPDATE, starts="10:10", past=True, original="A02",
                                            location=ICU)],
        S.IN_PROGRESS, STEP_DOWN, [ADMITTED, ("transferred:ICU^2^B:0", "10:10"), IN_STEP_DOWN],
    ),
    (
        "updated before it was told",
        [ADMIT, moved("Z99", "12:00", "2", UPDATE, starts="10:00", original="A02", location=ICU)],
        S.IN_PROGRESS, ICU, [ADMITTED, IN_ICU],
    ),
    (
        "an update that names no trigger amends",
        [ADMIT, TO_ICU, moved("A08", "12:00", "2", UPDATE, starts="10:00", location=ICU)],
        S.IN_PROGRESS, ICU, [ADMITTED, IN_ICU],
    ),
    ("discharged", [ADMIT, HOME], S.FINISHED, WARD, [ADMITTED, ("discharged::0", "15:00")]),
    ("discharge cancelled", [ADMIT, HOME, moved("A13", "16:00", "9", CANCEL)], S.IN_PROGRESS, WARD, [ADMITTED]),
    (
        "the discharge's end said again meanwhile goes with it",
        [ADMIT, HOME, moved("A08", "15:30", "9", UPDATE, starts="15:00", discharged_at=at("15:00")),
         moved("A13", "16:00", "9", CANCEL)],
        S.IN_PROGRESS, WARD, [ADMITTED],
    ),
    (
        "cancelled and told anew under another id",
        [ADMIT, HOME, moved("A13", "16:00", "9", CANCEL), moved("A03", "16:30", "10", disposition={"nubc": "03"})],
        S.FINISHED, WARD, [ADMITTED, ("discharged::0", "16:30")],
    ),
    (
        "cancelled and inserted anew under its own id",
        [ADMIT, TO_ICU, moved("A12", "10:30", "2", CANCEL, location=WARD),
         moved("A02", "11:00", "2", location=ICU)],
        S.IN_PROGRESS, ICU, [ADMITTED, ("transferred:ICU^2^B:0", "11:00")],
    ),
    ("admission cancelled", [ADMIT, moved("A11", "10:00", "1", CANCEL)], S.CANCELLED, WARD, []),
    (
        "leave cancelled",
        [ADMIT, moved("A21", "10:00", "4"), moved("A52", "11:00", "4", CANCEL)],
        S.IN_PROGRESS, WARD, [ADMITTED],
    ),
    (
        "ids on cancels alone: the trigger says what is taken back",
        [fact("A01", "09:00", location=WARD), fact("A02", "10:00", location=ICU),
         moved("A12", "11:00", "2", CANCEL, location=WARD)],
        S.IN_PROGRESS, WARD, [ADMITTED],
    ),
    (
        "only the insert after it tells that a cancel is of the movement it names and of no other",
        [fact("A01", "09:00", location=WARD), fact("A02", "10:00", location=ICU),
         moved("A12", "11:00", "7", CANCEL, location=ICU), moved("A02", "12:00", "3", location=STEP_DOWN)],
        S.IN_PROGRESS, STEP_DOWN, [ADMITTED, IN_ICU, ("transferred:5E^510^C:0", "12:00")],
    ),
    (
        "a cancelled admission is none, told as A01",
        [moved("A01", "09:00", "1", CANCEL, location=WARD)],
        S.IN_PROGRESS, WARD, [],
    ),
    (
        "a cancelled discharge is none, told as A03",
        [fact("A01", "09:00", location=WARD),
         moved("A03", "15:00", "9", CANCEL, location=WARD, discharged_at=at("15:00"))],
        S.IN_PROGRESS, WARD, [ADMITTED],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "status", "place", "standing"), [s[1:] for s in STORIES], ids=[s[0] for s in STORIES]
)
def test_story(facts: list[StayFact], status: S, place: dict[str, str], standing: list[tuple[str, str]]) -> None:
    for order in list(permutations(facts))[:24]:
        state = fold(order)
        assert (state.status, [(m.key, m.at) for m in state.milestones]) == (
            status, [(key, at(clock)) for key, clock in standing],
        )  # fmt: skip
        if status != S.CANCELLED:
            assert state.location == place
        assert status == S.FINISHED or "discharged_at" not in state.said


NUMBERS = ("1", "2", "3")


@st.composite
def movements(draw: st.DrawFn) -> list[StayFact]:
    told = []
    for number in range(draw(st.integers(1, 7))):
        trigger = draw(st.sampled_from([*TRIGGERS, "Z99"]))
        minute = draw(st.integers(0, 5))
        one = fact(trigger, f"09:0{minute}", digest=str(number), location=draw(st.sampled_from([WARD, ICU, STEP_DOWN])))
        if draw(st.booleans()) or trigger == "Z99":
            starts = draw(st.sampled_from(["", "2026-03-02T09:01:00.000000+00:00", "2026-03-02T09:04:00.000000+00:00"]))
            of = draw(st.sampled_from(["", "A02", "A03", "A77"]))
            action = draw(st.sampled_from(Action))
            one = replace(
                one, movement=Movement(draw(st.sampled_from(NUMBERS)), action, draw(st.booleans()), starts, of)
            )
        told.append(one)
    return told


def one_after_the_other(told: Sequence[StayFact]) -> EncounterState:
    """As they are taken in: each against the state as it was kept, or all again where it does not only add to it."""
    state = EMPTY
    for number, one in enumerate(told):
        kept = state_from_json(orjson.loads(state_as_json(state)))
        state = apply(kept, one) if follows(kept, one) else fold(told[: number + 1])
    return state


@settings(max_examples=EXAMPLES)
@given(movements(), st.data())
def test_one_after_the_other_is_all_at_once(told: list[StayFact], data: st.DataObject) -> None:
    assert one_after_the_other(data.draw(st.permutations(told))) == fold(told)


@pytest.mark.parametrize("minute", ["09:00", "09:01"])
@pytest.mark.parametrize("trigger", ["A01", "A03", "A11", "A12", "A13", "A52"])
def test_the_first_insert_after_a_cancel_needs_all_that_was_told(trigger: str, minute: str) -> None:
    """It changes what the cancel before it took back."""
    cancelled = moved(trigger, "09:00", "1", CANCEL, location=WARD)
    inserted = moved("A01", minute, "2", location=ICU)
    admitted = fact("A01", "08:00", location=WARD)
    for told in permutations([cancelled, inserted]), permutations([admitted, cancelled, inserted]):
        for order in told:
            assert one_after_the_other(order) == fold(order)
    assert not follows(fold([cancelled]), inserted)


def test_inserts_in_their_order_need_nothing_of_what_was_told_before() -> None:
    told = [ADMIT, TO_ICU, TO_STEP_DOWN, HOME]
    assert all(follows(fold(told[:known]), told[known]) for known in range(len(told)))


@settings(max_examples=EXAMPLES // 2)
@given(movements(), st.integers(0, 7), st.data())
def test_what_all_follows_can_be_applied_in_a_row(told: list[StayFact], cut: int, data: st.DataObject) -> None:
    ordered = sorted(told, key=lambda one: one.order) if data.draw(st.booleans()) else told
    state = fold(ordered[:cut])
    if all_follow(state, ordered[cut:]):
        for one in ordered[cut:]:
            assert follows(state, one)
            state = apply(state, one)
        assert state == fold(ordered)


@st.composite
def messages_with_movements(draw: st.DrawFn) -> list[bytes]:
    said = []
    for number in range(draw(st.integers(1, 6))):
        trigger = draw(st.sampled_from([*TRIGGERS, "Z99"]))
        message = adt(
            trigger,
            control_id=str(number),
            recorded=f"2026030209{draw(st.integers(0, 5)):02d}",
            patient_class=draw(st.sampled_from("IEO")),
            location=draw(st.sampled_from(PLACES)),
            discharged=draw(st.sampled_from(["", "202603021500"])),
            disposition=draw(st.sampled_from(["", "01", "30"])),
        )
        if draw(st.booleans()) or trigger == "Z99":
            message += zbe(
                draw(st.sampled_from(NUMBERS)),
                draw(st.sampled_from(["", "INSERT", "UPDATE", "CANCEL"])),
                draw(st.sampled_from(["", "202603020901", "202603020904"])),
                past=draw(st.sampled_from("NY")),
                original=draw(st.sampled_from(["", "A02", "A03"])),
            )
        said.append(message)
    return said


@settings(max_examples=EXAMPLES // 2)
@given(messages_with_movements(), st.data())
def test_whatever_is_told_of_movements_ends_the_same(messages: list[bytes], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(messages), max_size=2))
    state, listener, chart = tell(messages)
    other_state, other_listener, other = tell(data.draw(st.permutations(messages + again)))
    assert other_state == state
    assert sorted(other_listener.standing.values()) == sorted(listener.standing.values())
    [announced], [others] = [[s.announced for s in one.stays.values()] for one in (chart, other)]
    assert [(a.key, a.at, a.detail) for a in announced] == [(a.key, a.at, a.detail) for a in others]


@settings(max_examples=EXAMPLES // 5)
@given(movements())
def test_movements_survive_their_storage(told: list[StayFact]) -> None:
    assert [StayFact.from_json(one.as_json()) for one in told] == told


def zbe(movement: str, action: str, starts: str = "20260302100000", *, past: str = "N", original: str = "") -> bytes:
    return f"ZBE|{movement}|{starts}||{action}|{past}|{original}\r".encode()


@pytest.mark.parametrize(
    ("trigger", "segment", "movement", "doubts"),
    [
        ("A02", zbe("7^KIS", "INSERT"), Movement("7^KIS", INSERT, starts="2026-03-02T10:00:00.000000+00:00"), ()),
        ("A02", zbe("7", "insert", ""), Movement("7^GENHOSP", INSERT), ()),
        ("A02", b"ZBE|7^KIS\r", Movement("7^KIS", INSERT), ()),
        ("A12", b"ZBE|7^KIS\r", Movement("7^KIS", CANCEL), ()),
        ("A12", zbe("7^KIS", "DELETE", "", past="Y"), Movement("7^KIS", CANCEL, is_historic=True), ()),
        ("A08", zbe("7^KIS", "INSERT", ""), Movement("7^KIS", UPDATE), ()),
        ("Z99", zbe("7^KIS", "UPDATE", "", original="a02"), Movement("7^KIS", UPDATE, original="A02"), ()),
        ("A02", zbe("", "INSERT"), None, ("ZBE-1",)),
        ("A02", zbe("7^KIS", "REFERENCE"), None, ("ZBE-4",)),
        ("A02", zbe("7^KIS", "INSERT", "yesterday"), Movement("7^KIS", INSERT), ("ZBE-2",)),
    ],
)
def test_the_segment_as_it_is_sent(
    trigger: str, segment: bytes, movement: Movement | None, doubts: tuple[str, ...]
) -> None:
    arrival = read(adt(trigger) + segment)
    assert arrival.adt
    assert arrival.adt.fact
    assert (arrival.adt.fact.movement, arrival.adt.doubts) == (movement, doubts)


def test_a_movement_happened_when_it_began() -> None:
    arrival = read(adt("A02") + zbe("7^KIS", "INSERT"))
    assert arrival.adt
    assert arrival.adt.fact
    assert (arrival.adt.fact.occurred, arrival.adt.fact.occurred_from) == (at("10:00"), "ZBE-2")


def test_a_cancel_happened_when_it_was_said() -> None:
    arrival = read(adt("A12") + zbe("7^KIS", "CANCEL"))
    assert arrival.adt
    assert arrival.adt.fact
    assert arrival.adt.fact.occurred_from == "EVN-2"


def test_z99_without_a_movement_may_be_anything() -> None:
    verdict = read(adt("Z99")).verdict
    assert verdict
    assert (verdict.code, verdict.reason) == ("AA", Reason.UNSUPPORTED_TRIGGER)


WHOLE_STAY = [
    adt("A01", control_id="1", recorded="20260302090000") + zbe("1", "INSERT", "20260302090000"),
    adt("A02", control_id="2", recorded="20260302100000", location="ICU^2^B") + zbe("2", "INSERT"),
    adt("A02", control_id="3", recorded="20260302110000", location="5E^510^C") + zbe("3", "INSERT", "20260302110000"),
    adt("A12", control_id="4", recorded="20260302120000", location="4W^401^A") + zbe("2", "CANCEL", past="Y"),
    adt("Z99", control_id="5", recorded="20260302130000", location="5E^511^C")
    + zbe("3", "UPDATE", "20260302110000", original="A02"),
]  # fmt: skip


@pytest.mark.parametrize("order", list(permutations(WHOLE_STAY))[::5])
def test_whoever_listens_believes_the_same_in_any_order(order: tuple[bytes, ...]) -> None:
    state, listener, _ = tell(list(order))
    assert [milestone.key for milestone in state.milestones] == ["admitted::0", "transferred:5E^511^C:0"]
    assert sorted(listener.standing.values()) == ["care.encounter.admitted.v1", "care.encounter.transferred.v1"]

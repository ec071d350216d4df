"""The order between topics cannot matter, and what was heard twice is heard once."""

import os
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from services.transitions.task import Why
from shared.events import AnyEvent
from shared.events.followups import AppointmentAttended, AppointmentNoShow
from shared.events.people import Disposition, EncounterClass, Identifier
from tests.unit.transitions.stays import (
    StayTold,
    Ward,
    acknowledged,
    at,
    attempt,
    attended,
    contact,
    delivered,
    follow_up,
    library,
    reconciled,
    standing_of,
    updated,
)

PROTOCOLS = library()
DAYS = st.integers(1, 25)
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "1000"))
"""`make fuzz` asks for 50,000, and for a tenth as many courses."""
COURSES = max(100, EXAMPLES // 10)


def shown(ward: Ward, stays: list[StayTold]) -> list[Any]:
    case = ward.cases.get("p1")
    return [standing_of(case.followed[s.id]) if case and s.id in case.followed else None for s in stays]


@st.composite
def merged(draw: DrawFn, first: list[AnyEvent], second: list[AnyEvent]) -> list[AnyEvent]:
    """Any interleaving that keeps each list's own order, as topics do."""
    order = draw(st.permutations([0] * len(first) + [1] * len(second)))
    heads = [iter(first), iter(second)]
    return [next(heads[which]) for which in order]


@st.composite
def deeds(draw: DrawFn, notices_of: list[AnyEvent]) -> list[AnyEvent]:
    makers = [contact, attempt, reconciled, attended]
    said = [
        draw(st.sampled_from(makers))(f"2026-03-{draw(DAYS):02d} {draw(st.integers(0, 23)):02d}:00-06:00")
        for _ in range(draw(st.integers(0, 6)))
    ]
    told = [event for event in notices_of if draw(st.booleans())]
    said += [draw(st.sampled_from([delivered, acknowledged]))(event, "2026-03-20 10:00-05:00") for event in told]
    return draw(st.permutations(said))


@st.composite
def courses(draw: DrawFn, stay: StayTold) -> list[AnyEvent]:
    """A legal course of one stay, with corrections and cancels."""
    day = draw(st.integers(1, 5))
    told = [stay.admit(f"2026-03-{day:02d} 08:00-06:00")]
    nubc = st.sampled_from(["01", "03", "06", "07", "20", "50", None])
    for _ in range(draw(st.integers(0, 6))):
        day = min(day + 1, 28)
        when = f"2026-03-{day:02d} 15:00-06:00"
        match draw(st.sampled_from(["discharge", "back", "correct", "move", "class", "cancel", "admit", "died"])):
            case "discharge":
                told.append(stay.discharge(when, draw(nubc)))
            case "back" if stay.state["status"] == "finished":
                told.append(stay.take_back_discharge(when))
            case "correct" if stay.state["status"] == "finished":
                changed = draw(st.sampled_from(["time", "disposition"]))
                told.append(
                    stay.correct(when, discharged_at=at(when))
                    if changed == "time"
                    else stay.correct(when, disposition=Disposition(nubc=draw(nubc)))
                )
            case "move" if stay.state["status"] == "in-progress":
                told.append(stay.transfer(when))
            case "class" if stay.state["status"] == "in-progress":
                classes = [EncounterClass.INPATIENT, EncounterClass.OBSERVATION, EncounterClass.AMBULATORY]
                told.append(stay.change_class(when, draw(st.sampled_from(classes))))
            case "cancel":
                told.append(stay.cancel(when))
            case "admit" if stay.state["status"] == "cancelled":
                told.append(stay.admit(when))
            case "died":
                told.append(updated(stay.summary(deceased=draw(st.booleans())), when))
            case _:
                continue
    return told


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_how_each_obligation_closed_depends_on_what_was_done_and_not_on_the_order_it_was_heard_in(
    data: st.DataObject,
) -> None:
    stay = StayTold()
    left = stay.discharge("2026-03-06 15:00-06:00")
    done = data.draw(deeds([left]))
    appointment = Identifier(authority="PCP", value="A9")
    if data.draw(st.booleans()):
        done.append(follow_up(AppointmentAttended, "2026-03-09 09:00-05:00", appointment=appointment))
        done.append(follow_up(AppointmentNoShow, "2026-03-09 18:00-05:00", appointment=appointment))
    heard = data.draw(st.permutations([left, *done, *done[:2]]))
    ends = [closures(Ward(PROTOCOLS).hear(*order), stay) for order in ([left, *done], heard)]
    assert ends[0] == ends[1]


def closures(ward: Ward, stay: StayTold) -> list[Any]:
    """What stands of each obligation: how it closed, by which deed, and when that was done."""
    standing = [o.task for o in ward.of(stay).tasks if o.why is not Why.EVIDENCE_RETRACTED]
    return sorted((t.code, str(t.closure), str(t.evidence_event_id), str(t.done_at), str(t.due_at)) for t in standing)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_evidence_and_discharge_end_the_same_in_any_order_and_number(data: st.DataObject) -> None:
    stay = StayTold(diagnoses=("I50.9",))
    course = [stay.admit("2026-03-02 08:00-06:00"), stay.discharge("2026-03-06 15:00-06:00")]
    if data.draw(st.booleans()):
        course.append(stay.take_back_discharge("2026-03-07 10:00-06:00"))
        course.append(stay.discharge("2026-03-08 15:00-05:00", data.draw(st.sampled_from(["01", "03"]))))
    done = data.draw(deeds([event for event in course if event.type.endswith("discharged.v1")]))
    straight = Ward(PROTOCOLS).hear(*course, *done)
    shuffled = Ward(PROTOCOLS).hear(*data.draw(merged(course, data.draw(st.permutations(done + done[:2])))))
    live = [list(shown(ward, [stay])[0][3:4]) for ward in (straight, shuffled)]
    assert live[0] == live[1]
    assert straight.of(stay).transition.status == shuffled.of(stay).transition.status


@settings(max_examples=COURSES, deadline=None)
@given(st.data())
def test_any_course_ends_as_if_only_what_stands_had_been_heard(data: st.DataObject) -> None:
    """Replaying the last word of each stay alone gives the same live obligations as having lived through it all."""
    stay = StayTold()
    ends_as_its_last_word(stay, data.draw(courses(stay)))


def test_a_death_told_in_error_ends_as_if_it_had_never_been_told() -> None:
    stay = StayTold()
    course = [stay.admit("2026-03-01 08:00-06:00"), stay.discharge("2026-03-02 15:00-06:00")]
    course.append(updated(stay.summary(deceased=True), "2026-03-03 15:00-06:00"))
    course.append(updated(stay.summary(deceased=False), "2026-03-04 15:00-06:00"))
    ends_as_its_last_word(stay, course)


def ends_as_its_last_word(stay: StayTold, told_of_stay: list[AnyEvent]) -> None:
    # All is heard of at once, or the last word alone could be old news that the first was not.
    course = [replace(event, recorded=at("2026-03-01 08:00-06:00")) for event in told_of_stay]
    lived = Ward(PROTOCOLS).hear(*course)
    told = [event for event in course if event.type.startswith("care.encounter")]
    deaths = [event for event in course if event.type.startswith("care.patient")]
    after_last = deaths[-1:] if deaths and course.index(deaths[-1]) > course.index(told[-1]) else []
    alone = Ward(PROTOCOLS).hear(told[-1], *after_last)
    mine, theirs = (shown(ward, [stay])[0] for ward in (lived, alone))
    running = [
        [entry for entry in end[3] if entry[1] != "on-hold"] if end is not None else [] for end in (mine, theirs)
    ]
    assert running[0] == running[1]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_duplicate_anywhere_says_nothing_more(data: st.DataObject) -> None:
    stay = StayTold()
    course = data.draw(courses(stay))
    twice = [event for event in course for _ in range(data.draw(st.integers(1, 2)))]
    once, more = Ward(PROTOCOLS).hear(*course), Ward(PROTOCOLS).hear(*twice)
    assert once.said_types() == more.said_types()
    assert shown(once, [stay]) == shown(more, [stay])


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_two_stays_end_the_same_however_their_news_interleave(data: st.DataObject) -> None:
    first, second = StayTold(), StayTold()
    one = [first.admit("2026-03-02 08:00-06:00"), first.discharge("2026-03-06 15:00-06:00")]
    two = [second.admit("2026-03-16 08:00-05:00"), second.discharge("2026-03-18 15:00-05:00")]
    if data.draw(st.booleans()):
        two.append(second.cancel("2026-03-19 15:00-05:00"))
    both = [first, second]
    assert shown(Ward(PROTOCOLS).hear(*one, *two), both) == shown(
        Ward(PROTOCOLS).hear(*data.draw(merged(one, two))), both
    )

"""Ids of transitions, tasks and plans: the same at every hearing, and beside those that begin together."""

from uuid import UUID, uuid5

from services.transitions.followed import BESIDE_SINCE, TRANSITIONS, transition_id


def encounter(milliseconds: int) -> UUID:
    return UUID(int=milliseconds << 80 | 0x7 << 76 | 0x2 << 62 | 42)


def test_a_transition_stands_beside_its_encounter() -> None:
    found = transition_id(encounter(BESIDE_SINCE))
    assert found.int >> 80 == BESIDE_SINCE
    assert found == transition_id(encounter(BESIDE_SINCE))


def test_an_id_that_was_said_before_is_given_again() -> None:
    earlier = encounter(BESIDE_SINCE - 1)
    assert transition_id(earlier) == uuid5(TRANSITIONS, str(earlier))


def test_an_encounter_that_says_no_time_has_a_digest_for_its_transition() -> None:
    random = UUID("ffffffff-ffff-4fff-bfff-ffffffffffff")
    assert transition_id(random) == uuid5(TRANSITIONS, str(random))

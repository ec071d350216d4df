"""What a token's bounds let its holder see."""

import pytest

from shared.http import Caller, Role


def caller(organisation: str | None = None, *facilities: str) -> Caller:
    return Caller(
        subject="s", roles=frozenset({Role.CARE_MANAGER}), organisation=organisation, facilities=frozenset(facilities)
    )


@pytest.mark.parametrize(
    ("bounds", "seen"),
    [
        (caller(), {"MERCY oak", "MERCY elm", "MERCY", "LAKE oak"}),
        (caller(None, "MERCY"), {"MERCY oak", "MERCY elm", "MERCY"}),
        (caller("oak"), {"MERCY oak", "LAKE oak"}),
        (caller("oak", "MERCY"), {"MERCY oak"}),
    ],
)
def test_each_bound_that_a_token_names_holds(bounds: Caller, seen: set[str]) -> None:
    rows = ("MERCY oak", "MERCY elm", "MERCY", "LAKE oak")
    assert {row for row in rows if bounds.sees(*row.split())} == seen
    assert bounds.sees("MERCY", None) is ("MERCY" in seen)


@pytest.mark.parametrize(
    ("bounds", "reached", "not_reached"),
    [
        (caller(), [("MERCY",), ("MERCY", "LAKE")], []),
        (caller(None, "MERCY", "LAKE"), [("MERCY",), ("MERCY", "LAKE")], [("MERCY", "HUDSON")]),
        (caller("oak", "MERCY"), [("MERCY",)], [("LAKE",)]),
        (caller("oak"), [], [("MERCY",), ()]),
    ],
)
def test_a_feed_is_reached_with_all_its_facilities(
    bounds: Caller, reached: list[tuple[str, ...]], not_reached: list[tuple[str, ...]]
) -> None:
    assert all(bounds.reaches(*places) for places in reached)
    assert not any(bounds.reaches(*places) for places in not_reached)

"""YAML from outside costs no more than it is long."""

import pytest
import yaml

from shared.bounded_yaml import read_yaml

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_aliases_are_read_as_what_they_stand_for() -> None:
    assert read_yaml("one: &x {a: 1}\nother: *x\nmore: {<<: *x, b: 2}") == {
        "one": {"a": 1},
        "other": {"a": 1},
        "more": {"a": 1, "b": 2},
    }
    assert read_yaml("") is None


@pytest.mark.parametrize(
    "text",
    [BOMB, "a: &a [*a]", "[" * 50_000, "at: 2026-99-99", "a: [", "x: !!python/object/apply:os.getcwd []", "a: \x00"],
    ids=["aliases of aliases", "holds itself", "too deep", "no date", "cut", "python", "not printable"],
)
def test_what_costs_more_than_it_says_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        read_yaml(text)

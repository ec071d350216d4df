"""YAML from outside costs no more than it is long."""

import pytest
import yaml

from shared.bounded_yaml import RepeatedKeyError, read_yaml

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
    ("text", "key", "line"),
    [
        ("feeds: [1]\nother: 2\nfeeds: [3]\n", "feeds", 2),
        ("feeds:\n- name: x\n  classes: {A: I}\n  classes: {B: E}\n", "classes", 3),
        ("a: {b: 1, 'b': 2}", "b", 0),
    ],
)
def test_a_key_that_stands_twice_is_refused_where_it_stands_again(text: str, key: str, line: int) -> None:
    """YAML keeps the last: a feed that is appended with its own `feeds:` would end all others."""
    with pytest.raises(RepeatedKeyError, match=f"the key {key} stands here again") as refused:
        read_yaml(text)
    assert refused.value.problem_mark is not None
    assert refused.value.problem_mark.line == line


def test_merge_keys_may_repeat_and_a_merged_key_may_be_overridden() -> None:
    assert read_yaml("x: &x {a: 1}\ny: &y {b: 2}\nz: {<<: *x, <<: *y, a: 3}")["z"] == {"a": 3, "b": 2}


@pytest.mark.parametrize(
    "text",
    [BOMB, "a: &a [*a]", "[" * 50_000, "at: 2026-99-99", "a: [", "x: !!python/object/apply:os.getcwd []", "a: \x00"],
    ids=["aliases of aliases", "holds itself", "too deep", "no date", "cut", "python", "not printable"],
)
def test_what_costs_more_than_it_says_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        read_yaml(text)

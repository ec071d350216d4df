"""YAML of people outside: aliases of aliases multiply, and of a key that stands twice the first is silently lost."""

from typing import Any

import yaml

MOST_VALUES = 200_000


class TooMuchError(yaml.YAMLError):
    """Written out, the document would be too large, or too deep."""


class RepeatedKeyError(yaml.MarkedYAMLError):
    """YAML would take the last of the two, and lose what stands under the first."""

    def __init__(self, key: yaml.ScalarNode) -> None:
        super().__init__(problem=f"the key {key.value} stands here again", problem_mark=key.start_mark)


def read_yaml(text: str, most: int = MOST_VALUES) -> Any:
    """The document of `most` values at most, each counted as often as it stands there once aliases are written out.

    Raises yaml.YAMLError, also where a key stands twice, and for what is no YAML by another error (a date of the 99th
    month, a bottomless list).
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _values(node, {}) > most:
            raise TooMuchError("is too large with its aliases written out")
        return loader.construct_document(node)
    except RecursionError:
        raise TooMuchError("is nested too deeply") from None
    except ValueError:
        raise yaml.YAMLError("holds a value that can't be read") from None
    finally:
        loader.dispose()


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values the node stands for. One that holds itself never ends: RecursionError."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        _check_keys(node)
        held = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        known[id(node)] = 1 + sum(_values(part, known) for part in held)
    return known[id(node)]


def _check_keys(node: yaml.Node) -> None:
    """Raises RepeatedKeyError. Merge keys (`<<`) may repeat."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen = set[tuple[str, str]]()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and not key.tag.endswith(":merge"):
            if (key.tag, key.value) in seen:
                raise RepeatedKeyError(key)
            seen.add((key.tag, key.value))

"""Jaro-Winkler: how alike two names are, 0 to 1 (Winkler 1990; prefix weight 0.1, at most four letters). Pure."""

from functools import lru_cache

PREFIX_WEIGHT = 0.1
PREFIX_MOST = 4


@lru_cache(maxsize=8192)
def jaro_winkler(one: str, other: str) -> float:
    """1.0 for equal texts, 0.0 where they have no letter in common or one is empty."""
    alike = _jaro(one, other)
    prefix = 0
    for left, right in zip(one[:PREFIX_MOST], other[:PREFIX_MOST], strict=False):
        if left != right:
            break
        prefix += 1
    return alike + prefix * PREFIX_WEIGHT * (1 - alike)


def _jaro(one: str, other: str) -> float:
    if one == other:
        return 1.0 if one else 0.0
    mine, theirs = _in_common(one, other)
    if not mine:
        return 0.0
    swapped = sum(left != right for left, right in zip(mine, theirs, strict=True)) // 2
    common = len(mine)
    return (common / len(one) + common / len(other) + (common - swapped) / common) / 3


def _in_common(one: str, other: str) -> tuple[list[str], list[str]]:
    """The letters that both have within the window, each in the order of its own text."""
    window = max(max(len(one), len(other)) // 2 - 1, 0)
    taken = [False] * len(other)
    mine: list[str] = []
    for place, letter in enumerate(one):
        for there in range(max(place - window, 0), min(place + window + 1, len(other))):
            if not taken[there] and other[there] == letter:
                taken[there] = True
                mine.append(letter)
                break
    return mine, [letter for letter, is_taken in zip(other, taken, strict=True) if is_taken]

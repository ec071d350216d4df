"""What was read before need not be read again: senders say the same of a person in message after message."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar, cast

LONGEST = 1_000
"""Characters. A usual PID has 300 to 600."""

Rest = ParamSpec("Rest")
Found = TypeVar("Found")


def remembered(
    most: int, longest: int = LONGEST
) -> Callable[[Callable[Concatenate[str, Rest], Found]], Callable[Concatenate[str, Rest], Found]]:
    """Remembers the answers to `most` texts, as functools.lru_cache does, but to none that is longer than `longest`: a
    field may be as long as a frame, and a few thousand of these would be all the memory there is.
    """

    def wrap(read: Callable[Concatenate[str, Rest], Found]) -> Callable[Concatenate[str, Rest], Found]:
        kept = cast("Callable[Concatenate[str, Rest], Found]", lru_cache(most)(read))

        @wraps(read)
        def ask(text: str, /, *rest: Rest.args, **named: Rest.kwargs) -> Found:
            if len(text) > longest:
                return read(text, *rest, **named)
            return kept(text, *rest, **named)

        return ask

    return wrap

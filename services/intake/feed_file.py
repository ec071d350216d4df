"""The feeds file as people write it: what is wrong in it, told by feed and key."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import ValidationError
from typing_extensions import override

from services.intake.feeds import Feeds
from shared.bounded_yaml import RepeatedKeyError, read_yaml

_BARE_RULE = "Value error, "


class FileProblem(NamedTuple):
    """One thing that is wrong: which feed (None: the file as a whole), which key of it, and what is wanted."""

    feed: str | None
    key: str
    reason: str

    @override
    def __str__(self) -> str:
        return ": ".join(part for part in (f"feed {self.feed}" if self.feed else "", self.key, self.reason) if part)


class BrokenFeedsError(ValueError):
    """The file can't be used. Its message is one line a problem."""

    def __init__(self, problems: Sequence[FileProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def read_feeds_file(path: Path) -> Feeds:
    """Raises BrokenFeedsError, which says what is wrong where, also when the file can't be read."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "is not UTF-8"
        raise BrokenFeedsError([FileProblem(None, "", f"can't be read: {reason}")]) from None
    return parse_feeds(text)


def parse_feeds(text: str) -> Feeds:
    """As read_feeds_file, of text at hand."""
    try:
        document = read_yaml(text)
    except yaml.YAMLError as error:
        raise BrokenFeedsError([_yaml_problem(error)]) from None
    try:
        return Feeds.model_validate({} if document is None else document)
    except ValidationError as error:
        raise BrokenFeedsError([_problem(document, one) for one in error.errors(include_url=False)]) from None


def _yaml_problem(error: yaml.YAMLError) -> FileProblem:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    reason = str(getattr(error, "problem", None) or error)
    if isinstance(error, RepeatedKeyError):
        return FileProblem(None, where, f"{reason}: put what is under it under the first")
    return FileProblem(None, where, f"is no YAML: {reason}")


def _problem(document: Any, error: Any) -> FileProblem:
    place = list(error["loc"])
    feed = None
    if place[:1] == ["feeds"] and len(place) > 1 and isinstance(place[1], int):
        feed = _name_of(document, place[1])
        place = place[2:]
    key = ".".join(str(part) for part in place if part != "[key]")
    return FileProblem(feed, key, str(error["msg"]).removeprefix(_BARE_RULE))


def _name_of(document: Any, number: int) -> str:
    """The feed's name, or its place in the file where it has no usable one."""
    try:
        name = document["feeds"][number]["name"]
    except (KeyError, IndexError, TypeError):
        name = None
    return name if isinstance(name, str) else f"number {number + 1}"

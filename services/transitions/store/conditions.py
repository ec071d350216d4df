"""The conditions of a worklist's statement: only what is asked for stands in it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


class Bounds(Protocol):
    """What narrows down any worklist."""

    @property
    def due_before(self) -> datetime | None: ...
    @property
    def facility(self) -> str | None: ...
    @property
    def after(self) -> tuple[datetime, int, UUID] | None: ...


class Conditions:
    """`given` are the statement's parameters, in their order."""

    def __init__(self, *always: str) -> None:
        self._every = list(always)
        self.given: list[Any] = []

    def put(self, value: Any) -> str:
        """The parameter that stands for the value."""
        self.given.append(value)
        return f"${len(self.given)}"

    def add(self, condition: str) -> None:
        self._every.append(condition)

    def when(self, condition: str, value: Any) -> None:
        """`condition` with the value in place of `{}`; nothing where there is none."""
        if value is not None:
            self.add(condition.format(self.put(value)))

    def of_roles(self, roles: Sequence[str], column: str) -> None:
        """One role stands as equal, so that an index that begins with it gives its order; of none, any will do."""
        if len(roles) > 1:
            self.add(f"{column} = ANY ({self.put(list(roles))}::text[])")
        else:
            self.when(f"{column} = {{}}", next(iter(roles), None))

    def within(self, wanted: Bounds, table: str, rank: str) -> None:
        """Due times, one facility and the place after which the list goes on, of a table with this column of rank."""
        self.when(f"{table}.due_at < {{}}", wanted.due_before)
        self.when(f"{table}.facility = {{}}", wanted.facility)
        if wanted.after is not None:
            at, place, last = (self.put(part) for part in wanted.after)
            self.add(f"({table}.due_at, {table}.{rank}, {table}.id) > ({at}, {place}::int, {last})")

    def in_words(self) -> str:
        return " AND ".join(self._every)

from typing import Any, Protocol


class Row(Protocol):
    """A row of a read table, by column: asyncpg's records, and dicts in tests of what is pure."""

    def __getitem__(self, column: str, /) -> Any: ...

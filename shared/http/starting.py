"""The start of a process: what it is built of, or one line that says what is missing, and the exit code that says whose
turn it is.
"""

import sys
from collections.abc import Awaitable, Mapping
from typing import TypeVar

import asyncpg

from shared.retention import WrongRetentionError
from shared.telemetry import describe_error

EXIT_STORE_AWAY = 1
"""Whoever supervises the process starts it again."""
EXIT_WRONG_SETTINGS = 2
"""Starting it again is of no use: somebody must change a setting, or the file it names."""
Built = TypeVar("Built")


async def built(service: str, building: Awaitable[Built], wrong: Mapping[str, type[Exception]]) -> Built:
    """What was built. `wrong` says by which error a file is refused that a variable names.

    Raises SystemExit after a line on stderr: 1 when the database can't be used, 2 when a file is wrong.
    """
    files: dict[str, type[Exception]] = {f"{service.upper()}_RETENTION__FILE": WrongRetentionError, **wrong}
    try:
        return await building
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        sys.stderr.write(f"{service}: {_missing(error)}\n")
        raise SystemExit(EXIT_STORE_AWAY) from None
    except tuple(files.values()) as error:
        variable = next(name for name, kind in files.items() if isinstance(error, kind))
        sys.stderr.write(f"{variable}: {error}\n")
        raise SystemExit(EXIT_WRONG_SETTINGS) from None


def _missing(error: Exception) -> str:
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.UndefinedColumnError | asyncpg.InvalidSchemaNameError):
        return f"the database is not migrated, run `handoff migrate`: {describe_error(error)}"
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return f"the database refuses this role: {describe_error(error)}"
    return f"cannot reach the database: {describe_error(error)}"

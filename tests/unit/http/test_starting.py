"""A process that can't start says why in one line, and by its exit code whose turn it is."""

import asyncpg
import pytest

from shared.http import built
from shared.retention import WrongRetentionError


class BrokenFileError(ValueError):
    pass


async def raising(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ConnectionRefusedError(111, "refused"), 1, "ward: cannot reach the database: ConnectionRefusedError"),
        (asyncpg.InvalidPasswordError("ward"), 1, "ward: the database refuses this role: InvalidPasswordError"),
        (asyncpg.UndefinedTableError("x"), 1, "ward: the database is not migrated, run `handoff migrate`:"),
        (BrokenFileError("line 3: no such unit"), 2, "WARD_RULES: line 3: no such unit"),
        (WrongRetentionError("rules.yaml: days"), 2, "WARD_RETENTION__FILE: rules.yaml: days"),
    ],
)
async def test_what_is_missing_is_one_line(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int, says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        await built("ward", raising(error), {"WARD_RULES": BrokenFileError})
    said = capsys.readouterr().err
    assert ended.value.code == code
    assert said.startswith(says)
    assert said.count("\n") == 1

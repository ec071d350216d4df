"""What every statement keeps to, whoever writes it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
VOLATILE_BOUND = re.compile(r"[<>]=?\s*\(?clock_timestamp\(\)")


def test_no_row_is_sought_by_a_clock_that_runs_on_meanwhile() -> None:
    """`clock_timestamp()` is another one for each row, so a bound by it is never looked up in an index: what was to be
    one step walks through all that waits. `statement_timestamp()` and `now()` can be.
    """
    found = {
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("services", "shared")
        for path in (ROOT / folder).rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if VOLATILE_BOUND.search(line)
    }
    assert found == set()

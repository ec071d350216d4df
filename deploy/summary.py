"""`python deploy/summary.py SECONDS LOG...`: one summary line, as pytest writes it, over the logs of several runs."""

import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ORDER = ("failed", "passed", "skipped", "deselected", "xfailed", "xpassed", "warnings", "errors")
PLURAL = {"warning": "warnings", "error": "errors"}


def counts(log: str) -> Counter[str]:
    """What the last summary line of a log counts; one error for a run that wrote none."""
    lines = re.findall(r"^=*\s*((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s.*$", log, re.MULTILINE)
    if not lines:
        return Counter(errors=1)
    found = re.findall(r"(\d+) ([a-z]+)", lines[-1])
    return Counter({PLURAL.get(name, name): int(number) for number, name in found})


def summary(logs: Iterable[str], seconds: float) -> str:
    total: Counter[str] = sum((counts(log) for log in logs), Counter())
    said = ", ".join(f"{total[name]} {name}" for name in ORDER if total[name])
    return f" {said or 'no tests ran'} in {seconds:.2f}s ".center(80, "=")


if __name__ == "__main__":
    print(
        summary((Path(name).read_text(encoding="utf-8", errors="replace") for name in sys.argv[2:]), float(sys.argv[1]))
    )

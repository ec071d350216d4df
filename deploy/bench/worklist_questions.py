"""What people ask of their worklists, by kind: who asks, for which list, its first page or one deep within. Pure."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from typing_extensions import override

from deploy.bench.worklist_rows import AHEAD_DAYS, FACILITIES, KEEPS_UP, ORGANISATIONS, OVERDUE_DAYS, OWNERS

Question = dict[str, object]
NOBODY_BOUND: Mapping[str, object] = {}
CALLERS: Mapping[str, Mapping[str, object]] = {
    "bound to nothing": NOBODY_BOUND,
    "of the largest organisation": {"organisation": "org-0"},
    "of the smallest organisation": {"organisation": f"org-{ORGANISATIONS - 1}"},
    "of an organisation that keeps up": {"organisation": KEEPS_UP},
    "of two hospitals": {"facilities": ["HOSPITAL-3", "HOSPITAL-8"]},
}
VIEWS = ("overdue", "due-today", "escalated", "unassigned", "high-risk", "my-role")
PAST = frozenset({"overdue", "escalated"})


@dataclass(frozen=True, slots=True)
class Kind:
    """`caller` is a key of CALLERS; `deep`: a page from within the list, not its first."""

    caller: str
    name: str
    deep: bool

    @override
    def __str__(self) -> str:
        return f"{self.name}, {self.caller}, {'deep' if self.deep else 'first'} page"


class Questions:
    """Of worklists whose due times lie around now."""

    def __init__(self) -> None:
        self._pick = random.Random(7)  # noqa: S311  (repeatable, not secret)

    def kinds(self) -> Iterator[Kind]:
        for caller, bound in CALLERS.items():
            own = ("my-organisation",) if "organisation" in bound else ()
            named = ("of a person", "of a hospital", "of an organisation") if bound is NOBODY_BOUND else ()
            for name in (*VIEWS, *own, *named):
                yield Kind(caller, name, deep=False)
                yield Kind(caller, name, deep=True)

    def ask(self, kind: Kind) -> Question:
        """The query of GET /tasks; each call of a kind asks about someone or somewhere else."""
        named: Mapping[str, Question] = {
            "of a person": {"owner": f"care-manager-{self._pick.randrange(OWNERS)}"},
            "of a hospital": {"facility": f"HOSPITAL-{self._pick.randrange(FACILITIES)}"},
            "of an organisation": {"organisation": f"org-{self._pick.randrange(ORGANISATIONS)}"},
        }
        return {
            **named.get(kind.name, {"view": kind.name}),
            "limit": 50,
            **({"after": self._place(kind.name)} if kind.deep else {}),
        }

    def _place(self, view: str) -> str:
        now = datetime.now(UTC)
        if view == "due-today":
            # Noon in the middle of the country, or what is left of its day.
            return _after(now.replace(hour=18, minute=0, second=0, microsecond=0))
        days = -OVERDUE_DAYS * self._pick.random() if view in PAST else AHEAD_DAYS * self._pick.random()
        return _after(now + timedelta(days=days))


def _after(at: datetime) -> str:
    return f"{at.isoformat()}_2_{UUID(int=0)}"

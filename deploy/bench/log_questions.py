"""What people ask of a message log, by kind: each call of a kind asks about something else. Pure, and repeatable."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import md5
from uuid import UUID

from deploy.bench.log_rows import DAYS, patients_of

Question = dict[str, object]


class Questions:
    """Of a log of so many rows, whose month began at `begun`."""

    def __init__(self, rows: int, begun: datetime) -> None:
        self._pick = random.Random(7)  # noqa: S311  (repeatable, not secret)
        self._rows = rows
        self._begun = begun

    def listed(self) -> Mapping[str, Callable[[], Question]]:
        """Filters of GET /messages."""
        return {
            "newest": dict,
            "control id": lambda: {"control_id": f"C{self._some()}"},
            "control id that never came": lambda: {"control_id": f"X{self._some()}"},
            "patient": lambda: {"patient": f"p-{self._whose()}"},
            "visit": lambda: {"visit": str(stay_of(self._whose()))},
            "common trigger": lambda: {"trigger": "A08"},
            "rare trigger": lambda: {"trigger": "A52"},
            "trigger that never came": lambda: {"trigger": f"Z{self._some() % 100}"},
            "feed": lambda: {"feed": f"hospital-{self._some() % 7}"},
            "small feed": lambda: {"feed": "clinic"},
            "feed and a trigger it never sends": lambda: {"feed": "clinic", "trigger": "A52"},
            "held": lambda: {"outcome": "held"},
            "rejected, of a small feed": lambda: {"outcome": "rejected", "feed": "clinic"},
            "held by feed and reason": lambda: {"outcome": "held", "feed": "hospital-3", "reason": "no-visit"},
            "by reason alone": lambda: {"reason": "no-visit"},
            "accepted": lambda: {"outcome": "accepted"},
            "an hour": self._hour,
            "an hour of a feed": lambda: self._hour() | {"feed": f"hospital-{self._some() % 7}"},
            "an hour, held": lambda: self._hour() | {"outcome": "held"},
            "until a moment, by trigger": lambda: {"until": self._moment().isoformat(), "trigger": "A03"},
            "until a moment, rare trigger": lambda: {"until": self._moment().isoformat(), "trigger": "A52"},
        }

    def searched(self) -> Mapping[str, Callable[[], Question]]:
        """Bodies of POST /messages/search."""
        return {
            "number of a person": lambda: {"patient_identifier": f"M{self._whose()}"},
            "number of a visit": lambda: {"visit_number": f"V{self._whose()}"},
            "number that nobody has": lambda: {"patient_identifier": f"N{self._some()}"},
        }

    def _some(self) -> int:
        return self._pick.randrange(1, self._rows)

    def _whose(self) -> int:
        return self._some() % patients_of(self._rows)

    def _moment(self) -> datetime:
        return self._begun + timedelta(days=DAYS * self._pick.random())

    def _hour(self) -> Question:
        at = self._moment()
        return {"since": at.isoformat(), "until": (at + timedelta(hours=1)).isoformat()}


def stay_of(number: int) -> UUID:
    """The id of that patient's stay, as the rows are filled."""
    return UUID(hex=md5(f"stay{number}".encode(), usedforsecurity=False).hexdigest())

"""The fields that a feed should send, by segment. What is required is what the Direct to Da Vinci Alerts map requires
(HL7/davinci-alerts, DirectToDaVinciMap.csv: R and RE).
"""

from collections.abc import Iterator
from typing import NamedTuple

from services.intake.er7 import Message
from services.intake.triggers import WITHOUT_STAY

_OPENINGS = frozenset({"A01", "A04", "A05", "A06"})
_DISCHARGES = frozenset({"A03"})
_MOVES = frozenset({"A02"})


class Expected(NamedTuple):
    """`triggers` None: every message about a stay; `everywhere`: also those that are about no stay."""

    field: str
    name: str
    required: bool
    triggers: frozenset[str] | None = None
    everywhere: bool = False

    @property
    def segment(self) -> str:
        return self.field.partition("-")[0]

    @property
    def number(self) -> int:
        return int(self.field.partition("-")[2])

    def applies_to(self, trigger: str) -> bool:
        if trigger in WITHOUT_STAY:
            return self.everywhere
        return self.triggers is None or trigger in self.triggers


EXPECTED: tuple[Expected, ...] = (
    Expected("MSH-7", "time of the message", required=True, everywhere=True),
    Expected("MSH-10", "control id", required=True, everywhere=True),
    Expected("EVN-2", "time of recording", required=True, everywhere=True),
    Expected("PID-3", "patient identifiers", required=True, everywhere=True),
    Expected("PID-5", "patient name", required=True, everywhere=True),
    Expected("PID-7", "date of birth", required=True, everywhere=True),
    Expected("PID-8", "sex", required=True, everywhere=True),
    Expected("PID-11", "address", required=False, everywhere=True),
    Expected("PID-13", "phone", required=False, everywhere=True),
    Expected("PID-18", "account number", required=False),
    Expected("PD1-4", "primary care provider", required=False),
    Expected("PV1-2", "patient class", required=True),
    Expected("PV1-3", "location", required=True),
    Expected("PV1-4", "admission type", required=False, triggers=_OPENINGS),
    Expected("PV1-6", "prior location", required=False, triggers=_MOVES),
    Expected("PV1-7", "attending doctor", required=False),
    Expected("PV1-19", "visit number", required=True),
    Expected("PV1-44", "time of admission", required=True),
    Expected("PV1-36", "discharge disposition", required=True, triggers=_DISCHARGES),
    Expected("PV1-37", "discharged to", required=False, triggers=_DISCHARGES),
    Expected("PV1-45", "time of discharge", required=False, triggers=_DISCHARGES),
    Expected("DG1-3", "diagnosis", required=False, triggers=_OPENINGS | _DISCHARGES),
)
CODED = frozenset({"PV1-2", "PV1-3", "PV1-36", "PID-3"})
"""Fields whose values are looked up in maps."""


def filled(message: Message, trigger: str) -> Iterator[tuple[Expected, bool]]:
    """Each field that this message should have, and whether it has it."""
    for one in EXPECTED:
        if one.applies_to(trigger):
            segment = message.header if one.segment == "MSH" else message.first(one.segment)
            yield one, bool(segment and segment.raw(one.number).strip() not in {"", '""'})

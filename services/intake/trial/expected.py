"""The fields that a feed should send, by segment. Of ADT, what is required is what the Direct to Da Vinci Alerts map
requires (HL7/davinci-alerts, DirectToDaVinciMap.csv: R and RE). Of the others it is our own choice: without the number
of the thing nothing later finds it, without its time nobody knows when it is.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from services.intake.er7 import Message, Segment
from services.intake.triggers import WITHOUT_STAY

_OPENINGS = frozenset({"A01", "A04", "A05", "A06"})
_DISCHARGES = frozenset({"A03"})
_MOVES = frozenset({"A02"})


class Expected(NamedTuple):
    """`field` as `PV1-3` or, by component, `SCH-11.4`. `triggers` None: every message about a stay; `everywhere`: also
    those that are about no stay. `instead`: where the same may be said as well.
    """

    field: str
    name: str
    required: bool
    triggers: frozenset[str] | None = None
    everywhere: bool = False
    instead: tuple[str, ...] = ()

    def applies_to(self, trigger: str) -> bool:
        if trigger in WITHOUT_STAY:
            return self.everywhere
        return self.triggers is None or trigger in self.triggers


_OF_ALL: tuple[Expected, ...] = (
    Expected("MSH-7", "time of the message", required=True, everywhere=True),
    Expected("MSH-10", "control id", required=True, everywhere=True),
    Expected("PID-3", "patient identifiers", required=True, everywhere=True),
    Expected("PID-5", "patient name", required=True, everywhere=True),
    Expected("PID-7", "date of birth", required=True, everywhere=True),
    Expected("PID-8", "sex", required=True, everywhere=True),
)
_VISIT = Expected("PV1-19", "visit number", required=False, instead=("PID-18",))
EXPECTED: tuple[Expected, ...] = (
    *_OF_ALL,
    Expected("EVN-2", "time of recording", required=True, everywhere=True),
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


_RESULT = (
    *_OF_ALL,
    Expected("OBR-3", "order number", required=True, instead=("ORC-3", "OBR-2", "ORC-2")),
    Expected("OBR-4", "what was ordered", required=False),
    Expected("OBX-3", "what was observed", required=True),
    Expected("OBX-5", "value", required=False),
    Expected("OBX-6", "unit", required=False),
    Expected("OBX-11", "result status", required=True, instead=("OBR-25",)),
    Expected("OBX-14", "time of observation", required=True, instead=("OBR-7",)),
    Expected("OBR-22", "time of the report", required=False),
    _VISIT,
)
_APPOINTMENT = (
    *_OF_ALL,
    Expected("SCH-2", "appointment number", required=True, instead=("SCH-1",)),
    Expected("SCH-11.4", "start", required=True, instead=("TQ1-7", "AIS-4", "AIP-6", "AIL-6", "AIG-8")),
    Expected("SCH-25", "appointment status", required=False),
    Expected("AIS-3", "service", required=False, instead=("SCH-8", "SCH-7")),
    Expected("AIP-3", "with whom", required=False, instead=("SCH-16",)),
    Expected("AIL-3", "where", required=False),
    Expected("SCH-26", "order that it answers", required=False, instead=("SCH-27",)),
    _VISIT,
)
_DOCUMENT = (
    *_OF_ALL,
    Expected("TXA-2", "kind of document", required=True),
    Expected("TXA-12", "document number", required=True),
    Expected("TXA-6", "time of writing", required=False, instead=("TXA-4",)),
    Expected("TXA-9", "author", required=False),
    Expected("TXA-17", "completion status", required=False),
    Expected("TXA-19", "availability", required=False),
    _VISIT,
)
_REFERRAL = (
    *_OF_ALL,
    Expected("RF1-6", "referral number", required=True, instead=("RF1-11", "ORC-2", "OBR-2")),
    Expected("RF1-1", "referral status", required=False),
    Expected("RF1-2", "priority", required=False),
    Expected("RF1-3", "service", required=False, instead=("OBR-4", "PR1-3")),
    Expected("RF1-8", "expiry", required=False),
    Expected("RF1-10", "reason", required=False, instead=("DG1-3",)),
    Expected("PRD-2", "who refers, and to whom", required=False, instead=("PRD-4",)),
    _VISIT,
)
BY_TYPE: Mapping[str, tuple[Expected, ...]] = {
    "": EXPECTED,
    "ADT": EXPECTED,
    "ORU": _RESULT,
    "SIU": _APPOINTMENT,
    "MDM": _DOCUMENT,
    "REF": _REFERRAL,
    "RRI": _REFERRAL,
}


def filled(message: Message, kind: str, trigger: str) -> Iterator[tuple[Expected, bool]]:
    """Each field that this message should have, and whether it has it: in every segment of that name."""
    is_of_stay = BY_TYPE[kind] is EXPECTED
    for one in BY_TYPE[kind]:
        if not is_of_stay or one.applies_to(trigger):
            yield one, any(_has(message, place) for place in (one.field, *one.instead))


def _has(message: Message, place: str) -> bool:
    name, _, field = place.partition("-")
    segments = [message.header] if name == "MSH" else message.all(name)
    return bool(segments) and all(_says(segment, field) for segment in segments)


def _says(segment: Segment, field: str) -> bool:
    number, _, component = field.partition(".")
    if component:
        return bool(segment.value(int(number))[int(component)])
    return segment.raw(int(number)).strip() not in {"", '""'}

"""The gauges of the live signals, read as a table of wards: pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

UNIT_SCOPE = re.compile(r"facility:(?P<facility>.+?)/unit:(?P<unit>.+)")


@dataclass(frozen=True, slots=True)
class WardLine:
    """How many are on a ward now, and who came and left within 24 hours; None where no gauge tells."""

    facility: str
    unit: str
    census: int | None
    came: int | None
    left: int | None


def ward_lines(gauges: Iterable[Mapping[str, Any]]) -> list[WardLine]:
    """One line per ward, by facility and name. Gauges of whole facilities and of feeds are left out."""
    told: dict[tuple[str, str], dict[str, int]] = {}
    for gauge in gauges:
        scope = UNIT_SCOPE.fullmatch(str(gauge["scope"]))
        if scope is not None:
            ward = told.setdefault((scope["facility"], scope["unit"]), {})
            ward[str(gauge["kind"])] = round(gauge["value"])
    return [
        WardLine(facility, unit, ward.get("census"), ward.get("arrivals-24h"), ward.get("discharges-24h"))
        for (facility, unit), ward in sorted(told.items())
    ]

"""ADT messages and facts for tests, by what matters in them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.intake.message import OrderKey, StayFact
from services.intake.triggers import RANKS

DATA = Path(__file__).parents[2] / "data" / "hl7"
DAY = datetime(2026, 3, 2, tzinfo=UTC)
WARD = {"point_of_care": "4W", "room": "401", "bed": "A"}
ICU = {"point_of_care": "ICU", "room": "2", "bed": "B"}
STEP_DOWN = {"point_of_care": "5E", "room": "510", "bed": "C"}


def specimen(name: str) -> bytes:
    return (DATA / f"{name}.hl7").read_bytes()


def at(clock: str, day: int = 0) -> str:
    """`"15:05"` of the test's day as the rules keep instants."""
    hours, minutes = clock.split(":")
    return (DAY + timedelta(days=day, hours=int(hours), minutes=int(minutes))).isoformat()


def fact(trigger: str, recorded: str, occurred: str | None = None, *, digest: str = "", **said: Any) -> StayFact:
    """A fact recorded (and sent) at a time of the test's day."""
    stamp = at(recorded).replace("+00:00", ".000000+00:00")
    key = OrderKey(stamp, stamp, RANKS[trigger], f"{trigger}-{recorded}", digest)
    return StayFact(trigger, key, at(occurred or recorded), "EVN-6", said)


def adt(
    trigger: str,
    *,
    control_id: str = "1",
    mrn: str = "MRN001",
    visit: str = "V1001",
    recorded: str = "20260302091800",
    patient_class: str = "I",
    location: str = "4W^401^A",
    admitted: str = "20260302091500",
    discharged: str = "",
    disposition: str = "",
    facility: str = "GENHOSP",
    family: str = "Testa",
    retired: str = "",
    processing_id: str = "P",
    version: str = "2.5.1",
    modes: str = "|",
) -> bytes:
    """One message as bytes, in original mode unless `modes` says otherwise (`AL|NE`)."""
    lines = [
        f"MSH|^~\\&|ADT1|{facility}|HUB|HUB|{recorded}||ADT^{trigger}|{control_id}|{processing_id}|{version}|||{modes}",
        f"EVN||{recorded}",
        f"PID|1||{mrn}^^^{facility}^MR||{family}^Ann^Q^^^^L||19480214|F",
    ]
    if retired:
        lines.append(f"MRG|{retired}^^^{facility}^MR")
    else:
        visit_fields = f"{visit}^^^{facility}^VN" if visit else ""
        pv1 = [""] * 46
        pv1[0:4] = ["PV1", "1", patient_class, location]
        pv1[19], pv1[36], pv1[44], pv1[45] = visit_fields, disposition, admitted, discharged
        lines.append("|".join(pv1))
    return ("\r".join(lines) + "\r").encode()


def without(segment: bytes, message: bytes) -> bytes:
    return b"\r".join(line for line in message.split(b"\r") if not line.startswith(segment))


REFUSED = (
    b"<html>",
    b"MSH",
    adt("A01", control_id="version", version="9.9"),
    adt("A01", control_id="enhanced", version="3.0", modes="AL|NE"),
    adt("A01", control_id="both", version="3.0", modes="AL|AL"),
    adt("A03", control_id="training", processing_id="T"),
    adt("A03", control_id="old", processing_id="D", version="2.3"),
    adt("A01", control_id="stranger", facility="NOWHERE"),
    adt("A40", control_id="merge"),
    without(b"PID", adt("A08", control_id="nobody")),
    without(b"PID", adt("A08", control_id="nobody-old", version="2.4")),
    adt("A08", control_id="nameless", mrn="").replace(b"^^^GENHOSP^MR", b"^^^&&&"),
    adt("", control_id="no-trigger").replace(b"ADT^", b"", 1),
    adt("A01", control_id="own-separators", version="3.0").replace(b"^~\\&", b"*~\\&"),
    adt("A01", control_id="own-charset", version="3.0").replace(b"|3.0|||||", b"|3.0||||||UNICODE UTF-8"),
)
"""One of each kind that is acknowledged negatively, from a sender that isn't on loopback."""

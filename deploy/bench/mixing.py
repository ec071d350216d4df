"""The simulated hospitals' stays with what laboratories, record rooms, schedulers and referrers send beside them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from deploy.simulator.schedule import Planned

# What follows a message of a trigger: message type, and the segments beside PID and PV1. `{visit}` and `{at}` (MSH-7)
# are the stay's own; a corrected result and a moved appointment follow those that they correct.
BESIDE: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "A01": (
        ("ORU^R01", ("OBR|1|P{visit}^ACME|F{visit}^LAB|24323-8^Panel^LN|||{at}",
                     "OBX|1|NM|2951-2^Sodium^LN||138|mmol/L|||||P", "OBX|2|NM|2823-3^Potassium^LN||4.1|mmol/L|||||F")),
    ),
    "A08": (
        ("ORU^R01", ("OBR|1|P{visit}^ACME|F{visit}^LAB|24323-8^Panel^LN|||{at}",
                     "OBX|1|NM|2951-2^Sodium^LN||135|mmol/L|||||F")),
    ),
    "A03": (
        ("SIU^S12", ("SCH|P{visit}|A{visit}|||||FOLLOWUP^Follow-up|OFFICE^Office visit|30|min|^^30^20991231143000",
                     "AIS|1||CARD^Cardiology", "AIL|1||CLINIC^1")),
        ("MDM^T02", ("TXA|1|DS|TX|{at}|||||1234567893^Attend^Alice|||D{visit}||||||LA||AV",
                     "OBX|1|TX|18842-5^Discharge summary^LN||text")),
        ("REF^I12", ("RF1|P|S|CARD^Cardiology|||R{visit}|20260302|20991231||CHF^Heart failure",
                     "PRD|RP|Attend^Alice||||1|1234567893^NPI", "PRD|RT|Heart^Hank|||||1245319599^NPI")),
        ("SIU^S13", ("SCH|P{visit}|A{visit}|||||FOLLOWUP^Follow-up|OFFICE^Office visit|30|min|^^30^20991230143000",
                     "AIS|1||CARD^Cardiology", "AIL|1||CLINIC^1")),
    ),
}  # fmt: skip
_TYPE, _CONTROL_ID, _SENT = 8, 9, 6  # of MSH, counting from 0 without the separator itself


def mixed(messages: Iterable[Planned]) -> Iterator[Planned]:
    """Every message, with what follows it. The order of a stay's messages stays as it is."""
    for message in messages:
        yield message
        for number, (kind, segments) in enumerate(BESIDE.get(message.trigger, ())):
            yield _beside(message, kind, segments, f"{message.control_id}-{number}")


def _beside(message: Planned, kind: str, segments: tuple[str, ...], control_id: str) -> Planned:
    lines = message.payload.decode().split("\r")
    header = lines[0].split("|")
    said = {"visit": message.visit, "at": header[_SENT]}
    header[_TYPE], header[_CONTROL_ID] = kind, control_id
    whose = [line for line in lines if line.startswith(("PID|", "PV1|"))]
    payload = "\r".join(["|".join(header), *whose, *(one.format(**said) for one in segments), ""]).encode()
    return replace(message, trigger=kind, control_id=control_id, payload=payload)

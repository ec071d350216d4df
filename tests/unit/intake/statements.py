"""SIU, ORU, MDM and REF messages for tests, by what matters in them; and a chart that takes them without a store."""

from datetime import UTC, datetime

from services.intake.arrival import Arrival, read_arrival
from services.intake.chart import Chart, Effect
from services.intake.feeds import Feeds
from services.intake.message import Outcome
from shared.events.fact import Fact

RECORD = "record"
RECEIVED = datetime(2026, 7, 1, tzinfo=UTC)
PID = "PID|1||MRN001^^^GENHOSP^MR||Testa^Ann||19480214|F"


def message(kind: str, sent: str, *segments: str, control_id: str | None = None, pid: str = PID) -> bytes:
    header = f"MSH|^~\\&|ADT1|GENHOSP|HUB|HUB|{sent}||{kind}|{control_id or kind + sent}|P|2.5.1"
    return "\r".join([header, *([pid] if pid else []), *segments, ""]).encode()


def siu(
    trigger: str, sent: str, starts: str = "20260310143000", *, filler: str = "F1", status: str = "", **more: str
) -> bytes:
    schedule = f"SCH|P1|{filler}|||||FOLLOWUP^Follow-up visit|OFFICE^Office visit|30|min|^^30^{starts}"
    schedule += "|" * 14 + status + ("|" + more["order"] if "order" in more else "")
    place = "AIL|1||CLINIC^1^^GENHOSP"
    others = [more[name] for name in ("visit", "diagnosis", "staff") if name in more]
    service = "AIS|1||CARD^Cardiology"
    return message(f"SIU^{trigger}", sent, schedule, *others, service, place, control_id=more.get("control_id"))


def oru(sent: str, *results: str, order: str = "P9^ACME|F9^LAB") -> bytes:
    return message("ORU^R01", sent, f"OBR|1|{order}|24323-8^Panel^LN|||20260303070000", *results)


def mdm(trigger: str, sent: str, document: str = "D1", *, parent: str = "", availability: str = "AV") -> bytes:
    header = (
        f"TXA|1|DS|TX|20260306150000|||||1234567893^Attend^Alice|||{document}^GENHOSP|{parent}||||LA||{availability}"
    )
    return message(f"MDM^{trigger}", sent, header, "OBX|1|TX|18842-5^Discharge summary^LN||text")


def ref(
    trigger: str, sent: str, *, status: str = "P", kind: str = "REF", number: str = "R1", priority: str = "S"
) -> bytes:
    referral = f"RF1|{status}|{priority}|CARD^Cardiology|||{number}^GENHOSP|20260302|20260402||CHF^Heart failure"
    return message(
        f"{kind}^{trigger}",
        sent,
        referral,
        "PRD|RP|Attend^Alice||||1|1234567893^NPI",
        "PRD|RT|Heart^Hank|||||1245319599^NPI",
    )


def read(raw: bytes) -> Arrival:
    return read_arrival(raw, Feeds(), "127.0.0.1", received=RECEIVED)


def told(*messages: bytes) -> list[Fact]:
    """What is told when these come one after the other; patients' own updates left out."""
    chart = Chart({RECORD: RECORD})
    return [fact for raw in messages for fact in facts_of(take(chart, raw)) if not fact.TYPE.startswith("care.patient")]


def take(chart: Chart, raw: bytes) -> Effect:
    arrival = read(raw)
    assert arrival.adt, arrival.verdict
    effect = chart.take_parts(arrival, [RECORD for _ in arrival.adt.parts])
    assert effect.verdict.outcome is Outcome.ACCEPTED
    return effect


def facts_of(effect: Effect) -> list[Fact]:
    return [draft.fact for draft in effect.drafts]


def types(facts: list[Fact]) -> list[str]:
    return [fact.TYPE.removeprefix("care.").removesuffix(".v1") for fact in facts]

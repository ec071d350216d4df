"""What must hold for any bytes at all: none may crash or hang what reads them, and what was read can be applied."""

import orjson

from services.intake import batches, er7
from services.intake.acknowledgement import acknowledge
from services.intake.arrival import Arrival, read_arrival
from services.intake.batch import is_batch, split
from services.intake.chart import Chart
from services.intake.encounter import state_as_json, state_from_json
from services.intake.feeds import Feed, Feeds, Sender
from services.intake.fhir.reading import read_fhir
from services.intake.lifecycle import fold
from services.intake.message import Outcome, Reason, StayFact, Verdict
from services.intake.sides import sides_of
from shared.events.people import Facility
from shared.mllp import Decoded, Decoder, Frame, framed
from tests.unit.intake.statements import RECEIVED, RECORD

FEED = Feed(
    name="fuzz",
    senders=(Sender(),),
    facility=Facility(code="GENHOSP", time_zone="America/Chicago"),
    processing_ids=("*",),
    facilities={"WEST": Facility(code="WEST", time_zone="America/Denver")},
    authorities={"1.2.3": "GENHOSP"},
    dispositions={"HOME": "01"},
)
FEEDS = Feeds(feeds=(FEED,))
MOST = 1 << 16
POSITIVE = {"AA", "CA"}


def check_message(raw: bytes) -> Arrival:
    """One message, read, applied to an empty chart, acknowledged and shown."""
    arrival = read_arrival(raw, FEEDS, "10.0.0.1", received=RECEIVED)
    verdict = arrival.verdict or Verdict(Outcome.ACCEPTED)
    assert verdict.reason is not Reason.RULE_FAILED
    assert (arrival.adt is None) == (arrival.verdict is not None)
    if arrival.adt:
        _apply(arrival)
    for ack in acknowledge(arrival.heading, verdict, RECEIVED):
        said = er7.read(ack).first("MSA")
        assert said
        assert (said.text(1) in POSITIVE) == (verdict.code == "AA")
    sides_of(raw, arrival).masked()
    return arrival


def _apply(arrival: Arrival) -> None:
    adt = arrival.adt
    if adt is None:
        return
    chart = Chart({RECORD: RECORD})
    effect = chart.take_parts(arrival, [RECORD for _ in adt.parts])
    for draft in effect.drafts:
        draft.fact.model_dump_json()
    for part in adt.parts:
        if part.fact:
            kept = StayFact.from_json(orjson.loads(orjson.dumps(part.fact.as_json())))
            state = fold([kept])
            assert state == fold([part.fact])
            assert state_from_json(orjson.loads(state_as_json(state))) == state


def check_batch(raw: bytes) -> None:
    """Splitting finds the same messages again in what it found."""
    found = split(raw).messages
    batches.split(raw)
    assert is_batch(raw) == (raw[:3] in {b"FHS", b"BHS"} or len(found) > 1)
    for one in found:
        assert split(one).messages == (one,)


def check_frames(stream: bytes, cuts: tuple[int, ...]) -> None:
    """However the bytes of a stream are cut, the same frames come out."""
    whole = list(Decoder(MOST).feed(stream))
    decoder, at = Decoder(MOST), 0
    found: list[Decoded] = []
    for cut in (*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)):
        found += decoder.feed(stream[at:cut])
        at = cut
    assert found == whole


def check_framed(raw: bytes) -> None:
    """What is framed comes out as it went in, but for the marks of a frame that a message may not hold."""
    payload = raw.replace(b"\x0b", b"").replace(b"\x1c", b"")
    assert list(Decoder(MOST).feed(framed(payload))) == [Frame(payload)]


def check_json(raw: bytes) -> None:
    arrival = read_fhir(raw, FEED, FEEDS, received=RECEIVED).arrival
    assert arrival.verdict is None or arrival.verdict.reason is not Reason.RULE_FAILED
    if arrival.adt:
        _apply(arrival)


def check(raw: bytes) -> None:
    """All of it, by the first byte: `{` is JSON."""
    if raw[:1] == b"{":
        check_json(raw)
        return
    check_message(raw)
    check_batch(raw)
    check_frames(raw, tuple(raw[-4:]))
    check_framed(raw)

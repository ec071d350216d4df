"""A trial: every message is read and applied as in earnest, to patients and stays that live in memory alone."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from services.intake import er7
from services.intake.arrival import Arrival, is_json, read_arrival
from services.intake.chart import Chart, Effect, Stay
from services.intake.feeds import Feed
from services.intake.fhir.reading import read_fhir
from services.intake.message import AdtMessage, Outcome, Reason, Verdict
from services.intake.patient import Merge, judge_merge
from services.intake.person import assigned
from services.intake.standing import Standing
from services.intake.trial.expected import BY_TYPE, CODED, filled
from services.intake.trial.findings import FieldCount, NotUnderstood
from shared.events.encounters import PatientMerged
from shared.events.people import Identifier

MOST_LISTED = 100
_FAILED = Verdict(Outcome.HELD, reason=Reason.RULE_FAILED)


class Trial:
    """Takes messages one after another; what it has found is read from it. It looks like a directory of one feed."""

    def __init__(self, feed: Feed, *, is_new: bool = False) -> None:
        """`is_new`: nothing is known of the feed but its name."""
        self.feed = feed
        self.is_new = is_new
        self.now = datetime.now(UTC)
        self.messages = 0
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.triggers: Counter[str] = Counter()
        self.senders: Counter[tuple[str, str]] = Counter()
        self.processing_ids: Counter[str] = Counter()
        self.offsets: Counter[str] = Counter()
        self.doubts: Counter[str] = Counter()
        self.unknown: Counter[tuple[str, str]] = Counter()
        self.coded = 0
        self.fields: dict[tuple[str, bool], FieldCount] = {}
        self.events: Counter[str] = Counter()
        self.listed: list[NotUnderstood] = []
        self._strange: set[str] = set()
        self._seen: set[tuple[str, str, bytes]] = set()
        self._records: dict[Identifier, str] = {}
        self._chart = Chart({})

    @property
    def feeds(self) -> tuple[Feed, ...]:
        return (self.feed,)

    @property
    def stays(self) -> Iterable[Stay]:
        return self._chart.stays.values()

    @property
    def things(self) -> Iterable[Standing]:
        """Appointments, observations, documents and referrals."""
        return self._chart.standings.by_id.values()

    @property
    def patients(self) -> int:
        return len(set(self._chart.surviving.values()))

    def find(self, application: str, facility: str, host: str) -> Feed:  # noqa: ARG002  (whoever sends is on trial)
        self.senders[application, facility] += 1
        return self.feed

    def named(self, name: str, facility: str) -> Feed:  # noqa: ARG002
        return self.feed

    def not_understood(self, feed: Feed, field: str, code: str) -> None:  # noqa: ARG002
        self.unknown[field, code] += 1
        self._strange.add(field)

    def take(self, raw: bytes) -> None:
        """Reads and applies one message. Never raises for its content."""
        self.messages += 1
        self._strange.clear()
        arrival = read_fhir(raw, self.feed, self).arrival if is_json(raw) else read_arrival(raw, self, "trial")
        verdict = self._judge(arrival)
        self.outcomes[verdict.outcome] += 1
        self.triggers[arrival.trigger or "(none)"] += 1
        self.doubts.update(arrival.doubts)
        if verdict.outcome in {Outcome.HELD, Outcome.REJECTED, Outcome.SKIPPED} and verdict.reason:
            self.reasons[verdict.reason] += 1
            if len(self.listed) < MOST_LISTED:
                self.listed.append(NotUnderstood.of(self.messages, arrival, verdict))
        if not is_json(raw):
            self._look_at_fields(raw, arrival)

    def _judge(self, arrival: Arrival) -> Verdict:
        if arrival.verdict:
            return arrival.verdict
        if arrival.key in self._seen:
            return Verdict(Outcome.DUPLICATE)
        self._seen.add(arrival.key)
        try:
            effect = self._apply(arrival)
        except Exception:  # noqa: BLE001  (in earnest it would be held, and so the report says)
            return _FAILED
        self.events.update(draft.fact.TYPE for draft in effect.drafts)
        return effect.verdict

    def _apply(self, arrival: Arrival) -> Effect:
        adt = arrival.adt
        if adt is None:
            return Effect(arrival, Verdict(Outcome.SKIPPED, reason=Reason.UNSUPPORTED_TYPE))
        record = self._record_of(adt.identifiers)
        if adt.retired:
            return self._merge(arrival, adt, record)
        if adt.others:
            return self._chart.take_parts(arrival, [record, *(self._record_of(one.identifiers) for one in adt.others)])
        return self._chart.take(arrival, record)

    def _merge(self, arrival: Arrival, adt: AdtMessage, survivor: str) -> Effect:
        retired = self._record_of(adt.retired)
        surviving = self._chart.surviving
        asked = judge_merge(retired, survivor, surviving)
        if asked is Merge.CYCLE:
            return Effect(arrival, Verdict(Outcome.HELD, reason=Reason.MERGE_CYCLE))
        if asked is Merge.NEW:
            before, after = surviving[retired], surviving[survivor]
            surviving.update({record: after for record, whose in surviving.items() if whose == before})
            for stay in self._chart.stays.values():
                stay.patient_id = after if stay.patient_id == before else stay.patient_id
            for thing in self.things:
                thing.patient_id = after if thing.patient_id == before else thing.patient_id
            self.events[PatientMerged.TYPE] += 2  # said on both keys
        return Effect(arrival, Verdict(Outcome.ACCEPTED))

    def _record_of(self, identifiers: tuple[Identifier, ...]) -> str:
        """As in earnest: a message's unknown identifiers join its known record."""
        own = assigned(identifiers)
        known = next((self._records[one] for one in own if one in self._records), None)
        record = known or f"patient-{len(self._records) + 1}"
        for one in own:
            self._records.setdefault(one, record)
        self._chart.surviving.setdefault(record, record)
        return record

    def _look_at_fields(self, raw: bytes, arrival: Arrival) -> None:
        heading = arrival.heading
        if heading is None or heading.type not in BY_TYPE:
            return
        message = er7.read(raw, self.feed.fallback_charset, self.feed.charset)
        self.processing_ids[heading.processing_id] += 1
        sent = message.header.text(7) or ""
        self.offsets[sent[-5:] if sent[-5:-4] in {"+", "-"} else "none"] += 1
        for one, is_filled in filled(message, heading.type, heading.trigger):
            count = self.fields.setdefault((one.field, one.required), FieldCount(one.field, one.name, one.required))
            count.messages += 1
            count.filled += is_filled
            # A code that no map knows leaves a doubt too, but is counted as such.
            doubts = set(arrival.doubts) - self._strange
            count.unreadable += is_filled and any(_is_in(doubt, one.field) for doubt in doubts)
            self.coded += is_filled and one.field in CODED


def _is_in(place: str, field: str) -> bool:
    """Whether the place is the field or a part of it: PV1-3.4 is in PV1-3, PV1-36 isn't."""
    return place.startswith(field) and not place[len(field) :][:1].isdigit()

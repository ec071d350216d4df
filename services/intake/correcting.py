"""Messages of the log read and applied once more, in one transaction: for good, or only to see what would differ."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from services.intake import merging, renumbering, replay_store, standing_store, store
from services.intake.binding import refused_for_good
from services.intake.chart import Chart, Effect
from services.intake.correction import OFFERED_AGAIN, Correction, Dossier, Finding, Logged, is_compound, visits_of
from services.intake.feeds import FeedDirectory
from services.intake.identities import Identities
from services.intake.message import AdtMessage, Outcome
from services.intake.rereading import Stored, reread
from services.intake.sealing import Seal
from shared.events.people import Identifier
from shared.postgres import Database, Transaction


class StaleMessageError(Exception):
    """A message has changed since it was read: somebody else decided about it. Again will do."""


class _OnlyLookedError(Exception):
    """Leaves a transaction without a trace."""


class Corrector:
    """Reads messages with the feeds and rules of now, and puts what they say in the place of what they said."""

    def __init__(self, database: Database, feeds: FeedDirectory, seal: Seal) -> None:
        self._database = database
        self._feeds = feeds
        self._seal = seal

    async def read(self, ids: Sequence[UUID]) -> list[Logged]:
        """The messages in the order of their arrival. Others get their turn between any two of them."""
        read = []
        async with self._database.pool.acquire() as connection:
            rows = await replay_store.messages(connection, ids)
        for row in rows:
            raw = self._seal.open(row["raw"], row["id"])
            stored = Stored(row["id"], row["received_at"], row["feed"], row["control_id"], row["trigger"])
            arrival = refused_for_good(reread(raw, stored, self._feeds), row["reason"])
            kept = {name: row[name] for name in ("id", "reason", "feed", "doubts", "trigger", "patient_id")}
            read.append(
                Logged(
                    **kept,
                    outcome=Outcome(row["outcome"]),
                    encounter_id=row["encounter_id"],
                    version=row["version"],
                    arrival=arrival,
                )
            )
            await asyncio.sleep(0)
        return read

    async def look(self, messages: Sequence[Logged]) -> list[Finding]:
        """What applying them would change and say. Changes nothing."""
        findings: list[Finding] = []
        with suppress(_OnlyLookedError):
            async with self._database.transaction() as tx:
                findings, *_ = await _apply(tx, messages)
                raise _OnlyLookedError
        return findings

    @asynccontextmanager
    async def apply(self, messages: Sequence[Logged], actor: str) -> AsyncIterator[tuple[Transaction, list[Finding]]]:
        """Applies them; commits with whatever the caller adds. Raises StaleMessageError."""
        async with self._database.transaction() as tx:
            findings, chart, correction = await _apply(tx, messages)
            await _save(tx, findings, chart, correction, actor)
            yield tx, findings


async def _apply(tx: Transaction, messages: Sequence[Logged]) -> tuple[list[Finding], Chart, Correction]:
    parts = [part for message in messages for part in _parts(message)]
    named = [*(part.identifiers for part in parts), *(part.retired for part in parts if part.retired)]
    records, proposals = Identities().sort_out(named)
    records |= await store.identify(tx.connection, proposals) if proposals else {}
    known = {message.patient_id for message in messages if message.patient_id}
    surviving = await tx.lock({*records.values(), *known})
    now = await replay_store.versions(tx.connection, [message.id for message in messages])
    if any(now.get(message.id) != message.version for message in messages):
        raise StaleMessageError
    chart, dossiers = await _load(tx, messages, surviving)
    correction = Correction(chart, dossiers)
    findings = {
        message.id: correction.take(message, [records[part.identifiers[0]] for part in _parts(message)])
        for message in messages
        if message.outcome is Outcome.ACCEPTED
    }
    correction.finish()
    for dossier in correction.dossiers.values():
        dossier.stay.older = list(dossier.facts.values())
        chart.stays[dossier.stay.identity.visit] = dossier.stay
    for message in messages:
        if message.id not in findings:
            findings[message.id] = await _apply_anew(tx, chart, message, records)
    return [findings[message.id] for message in messages], chart, correction


async def _load(tx: Transaction, messages: Sequence[Logged], surviving: dict[str, str]) -> tuple[Chart, list[Dossier]]:
    told = {message.encounter_id for message in messages if message.encounter_id}
    ids = await replay_store.stay_ids(tx.connection, visits_of(messages), told)
    stays = await store.stays_by_id(tx.connection, ids)
    chart = Chart(surviving, {}, {stay.identity.visit: stay for stay in stays})
    await renumbering.follow(tx, chart)
    stays = list({stay.identity.id: stay for stay in (*stays, *chart.stays.values())}.values())
    facts = await replay_store.facts(tx.connection, [stay.identity.id for stay in stays])
    people = {*surviving.values(), *(stay.patient_id for stay in stays)}
    chart.patients = await store.load_patients(tx.connection, people)
    chart.standings = await standing_store.load_of_patients(tx.connection, _stated(messages), people)
    return chart, [Dossier(stay, facts.get(stay.identity.id, {})) for stay in stays]


def _parts(message: Logged) -> Sequence[AdtMessage]:
    """What it says of each patient, where that can be read again."""
    adt = message.arrival.adt
    return adt.parts if adt and not is_compound(message.arrival) else ()


def _stated(messages: Sequence[Logged]) -> set[UUID]:
    """The things beside stays that these messages speak of."""
    return {
        statement.id_on(message.arrival.feed_name)
        for message in messages
        for part in _parts(message)
        for statement in part.statements
    }


async def _apply_anew(tx: Transaction, chart: Chart, message: Logged, records: Mapping[Identifier, str]) -> Finding:
    """A message that has not taken effect, as if it came now."""
    arrival = message.arrival
    if arrival.verdict:
        effect = Effect(arrival, arrival.verdict, message.patient_id, message.encounter_id)
    elif arrival.adt is None or arrival.adt.others or is_compound(arrival):
        known = (message.outcome, message.reason, message.patient_id, message.encounter_id)
        return Finding(message, *known, left=OFFERED_AGAIN)
    elif arrival.adt.retired:
        effect = await _merge(tx, chart, message, records)
    else:
        effect = chart.take(arrival, records[arrival.adt.identifiers[0]])
    reason = effect.verdict.reason.value if effect.verdict.reason else None
    patient_id, encounter_id = effect.patient_id, effect.encounter_id
    return Finding(message, effect.verdict.outcome, reason, patient_id, encounter_id, drafts=effect.drafts)


async def _merge(tx: Transaction, chart: Chart, message: Logged, records: Mapping[Identifier, str]) -> Effect:
    """The stays and records of the working set follow, which no group commit has beside a merge."""
    adt = message.arrival.adt
    if adt is None:
        raise ValueError("the message has nothing to apply")
    survivor_record, retired_record = records[adt.identifiers[0]], records[adt.retired[0]]
    retired = chart.surviving[retired_record]
    effect = await merging.merge(tx, chart, message.arrival, adt, (survivor_record, retired_record))
    if effect.drafts:
        survivor = chart.surviving[survivor_record]
        for stay in chart.stays.values():
            stay.patient_id = survivor if stay.patient_id == retired else stay.patient_id
        chart.surviving |= {one: survivor for one, now in chart.surviving.items() if now == retired}
    return effect


async def _save(tx: Transaction, findings: Sequence[Finding], chart: Chart, correction: Correction, actor: str) -> None:
    changed = [finding for finding in findings if finding.is_changed]
    if not changed:
        return
    await replay_store.save_patients(tx.connection, [one for one in chart.patients.values() if one.is_touched])
    corrected = [dossier for dossier in correction.dossiers.values() if dossier.causes]
    fresh = [stay for stay in chart.stays.values() if stay.fresh]
    stays = {stay.identity.id: stay for stay in (*(dossier.stay for dossier in corrected), *fresh)}
    await replay_store.save_stays(tx.connection, stays.values())
    ids = [finding.message.id for finding in findings]
    gone = [(d.stay.identity.id, one) for d in corrected for one in ids if one not in d.facts]
    await replay_store.drop_facts(tx.connection, gone)
    told = [(d.stay.identity.id, one, d.facts[one]) for d in corrected for one in ids if one in d.facts]
    told += [(stay.identity.id, one, fact) for stay in fresh for one, fact in stay.fresh]
    await replay_store.save_facts(tx.connection, told)
    await standing_store.save(tx.connection, chart.standings)
    await replay_store.save_messages(tx.connection, [_message_row(finding) for finding in changed], actor)
    await tx.publish([draft for finding in findings for draft in finding.drafts])


def _message_row(finding: Finding) -> dict[str, object]:
    arrival = finding.message.arrival
    return {
        "id": finding.message.id,
        "feed": arrival.feed_name,
        "trigger": arrival.trigger,
        "outcome": finding.outcome,
        "reason": finding.reason,
        "doubts": ",".join(arrival.doubts),
        "patient_id": finding.patient_id,
        "encounter_id": finding.encounter_id,
        "effects": [{"event_id": draft.id, "type": draft.fact.TYPE} for draft in finding.drafts],
    }

"""From events to deliveries: one transaction for a batch, and never a wait for a recipient's server."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from services.notifications.announcement import Announcement
from services.notifications.announcing import LATE_AFTER, announcement_of
from services.notifications.coordination import BY_CHOICE, TAKES_BACK
from services.notifications.directory import Directory
from services.notifications.history import History
from services.notifications.merging import merge_patients
from services.notifications.planning import Decision, decide
from services.notifications.queued import events_of, rows_of
from services.notifications.store import directory as directory_store
from services.notifications.store import queueing as store
from shared.events import AnyEvent
from shared.events.encounters import PatientMerged
from shared.kafka import staged
from shared.metrics import SUPPRESSED
from shared.postgres import Transaction

Wake = Callable[[], None]


class Queueing:
    """The handler of all that may be told to people outside. `wake` tells the delivery loop that something may be due;
    `late_after`: from which age on news is told as late.
    """

    def __init__(self, wake: Wake, late_after: timedelta = LATE_AFTER) -> None:
        self._wake = wake
        self._late_after = late_after

    async def hear(self, tx: Transaction, events: Sequence[AnyEvent]) -> None:
        """A batch in order; what follows a merge of the same patients must find their rows under the survivor."""
        for stage in staged(events, PatientMerged):
            if stage.merges:
                await merge_patients(tx, stage.merges)
            await self._queue(tx, stage.others)

    async def _queue(self, tx: Transaction, events: Sequence[AnyEvent]) -> None:
        events = await _wanted(tx, events)
        notices = [notice for event in events if (notice := announcement_of(event, self._late_after))]
        if not notices:
            return
        survivors = await tx.lock({one.patient_id for one in notices})
        history = await _load_history(tx, notices)
        directory = await _load_directory(tx, notices, history)
        now = await tx.now()
        decisions = [made for one in notices if (made := decide(one, directory, history, now))]
        await _save(tx, decisions, survivors, now)
        self._wake()


async def _wanted(tx: Transaction, events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
    """The events without those that are told by choice only and that nobody chose and that end nothing told."""
    offered = BY_CHOICE - TAKES_BACK.keys()
    if not any(event.type in offered for event in events):
        return events
    chosen = await directory_store.chosen_types(tx.connection)
    return [event for event in events if event.type not in offered or event.type in chosen]


async def _load_history(tx: Transaction, notices: Sequence[Announcement]) -> History:
    hold = any(one.concerns_told for one in notices)
    threads = sorted({one.thread for one in notices if one.thread})
    if threads:
        return await store.load_threads(tx.connection, threads, hold=hold)
    stays = sorted({one.encounter_id for one in notices if one.encounter_id})
    return await store.load_history(tx.connection, stays, hold=hold)


async def _load_directory(tx: Transaction, notices: Sequence[Announcement], history: History) -> Directory:
    parties = [one.parties for one in notices]
    return await directory_store.load_directory(
        tx.connection,
        npis={npi for one in parties for _, npi in one.npis},
        codes={code for one in parties for _, code in one.codes},
        panels={key for one in parties for key in one.panels},
        slugs={slug for one in parties for _, slug in one.organisations},
        facilities={one.facility for one in parties if one.facility},
        told=(one.endpoint_id for one in history.told),
    )


async def _save(tx: Transaction, decisions: Sequence[Decision], survivors: dict[str, str], now: datetime) -> None:
    """Drops first: they may free a lane for what is inserted after them."""
    if not decisions:
        return
    rows = rows_of(decisions, survivors, now)
    dropped = await store.drop(tx.connection, rows.dropped) if rows.dropped else []
    if rows.retracted:
        await store.mark_retracted(tx.connection, rows.retracted)
    await store.insert_notices(tx.connection, rows.notices)
    if rows.deliveries:
        await store.insert_deliveries(tx.connection, rows.deliveries)
    if rows.suppressions:
        await store.insert_suppressions(tx.connection, rows.suppressions)
    if dropped:
        await store.advance(tx.connection, [(row["endpoint_id"], row["patient_id"]) for row in dropped])
    await tx.publish(events_of(decisions, survivors, now))
    for decision in decisions:
        for one in decision.suppressed:
            SUPPRESSED.labels(one.reason.value).inc()

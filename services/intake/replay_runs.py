"""Replays of many messages: a portion at a time, beside the messages that arrive, from where they stood when the
process ended.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any
from uuid import UUID

from services.intake import replay_store
from services.intake.committing import CONFLICTS, STORE_AWAY
from services.intake.correcting import Corrector, StaleMessageError
from services.intake.correction import OFFERED_AGAIN, Finding
from services.intake.receiving import Reception
from services.intake.replaying import replay
from shared.http import Problem
from shared.metrics import WORK_ALIVE
from shared.postgres import Database
from shared.telemetry import log

# Patients are locked for as long as a portion takes: a fraction of a second.
PORTION = 100
LOOK_EVERY_S = 1.0
ATTEMPTS = 5
AGAIN = (*CONFLICTS, StaleMessageError)


class NotOursError(Exception):
    """Another replica has done this portion, or the replay was cancelled: what we did is undone."""


class ReplayRuns:
    """Carries on what was asked for. Several replicas may: a portion is done by the one that notes it."""

    def __init__(self, database: Database, corrector: Corrector, reception: Reception) -> None:
        self._reception = reception
        self._database = database
        self._corrector = corrector
        self._asked = asyncio.Event()

    def wake(self) -> None:
        self._asked.set()

    async def run(self) -> None:
        while True:
            try:
                is_busy = await self.carry_on()
                WORK_ALIVE.labels("replays").set_to_current_time()
            except STORE_AWAY as error:
                log.warning("replay waits for the store", error=error, retry_in=LOOK_EVERY_S)
                is_busy = False
            except Exception as error:  # noqa: BLE001  (a replay that can't go on must not stop the feeds)
                log.error("replay failed", error=error, retry_in=LOOK_EVERY_S)
                is_busy = False
            if not is_busy:
                self._asked.clear()
                try:
                    await asyncio.wait_for(self._asked.wait(), LOOK_EVERY_S)
                except TimeoutError:
                    continue

    async def carry_on(self) -> bool:
        """One portion of the oldest replay; False when there is nothing to do."""
        async with self._database.pool.acquire() as connection:
            going = await replay_store.oldest(connection)
            if going is None:
                return False
            chosen = await replay_store.portion(connection, going["id"], going["place"], PORTION)
            if not chosen:
                await replay_store.finish(connection, going["id"], "done")
                log.info("replay done", kind="dry" if going["is_dry"] else "applied")
                return True
        try:
            await self._portion(going, chosen, going["place"])
        except NotOursError:
            return True
        except STORE_AWAY:
            raise
        except Exception as error:  # noqa: BLE001  (a message that the rules fail on: found patient by patient)
            log.error("portion of a replay failed", error=error, count=len(chosen))
            await self._patient_by_patient(going, chosen)
        return True

    async def _patient_by_patient(self, going: Any, chosen: Sequence[Any]) -> None:
        after = going["place"]
        for _, rows in groupby(chosen, key=lambda row: row["last_place"]):
            of_one = list(rows)
            try:
                await self._portion(going, of_one, after)
            except NotOursError:
                return
            except STORE_AWAY:
                raise
            except Exception as error:  # noqa: BLE001  (the rules' fault or the message's: noted, the others go on)
                log.error("replay of a patient failed", error=error, count=len(of_one))
                await self._note_failed(going, of_one, after, error)
            after = of_one[-1]["place"]

    async def _portion(self, going: Any, chosen: Sequence[Any], after: int) -> None:
        places = {row["message_id"]: row["place"] for row in chosen}
        for attempt in range(1, ATTEMPTS + 1):
            messages = await self._corrector.read(list(places))
            try:
                if going["is_dry"]:
                    findings = await self._corrector.look(messages)
                    async with self._database.transaction() as tx:
                        await _note(tx.connection, going["id"], findings, places, after)
                else:
                    async with self._corrector.apply(messages, going["asked_by"]) as (tx, findings):
                        await _note(tx.connection, going["id"], findings, places, after)
                    await self._offer(findings, going["asked_by"])
            except AGAIN:
                if attempt == ATTEMPTS:
                    raise
            else:
                return

    async def _offer(self, findings: Sequence[Finding], actor: str) -> None:
        """What only goes the way of what arrives goes it now, one after the other."""
        for finding in findings:
            if finding.left == OFFERED_AGAIN:
                with suppress(Problem):  # somebody was quicker
                    await replay(self._database, self._reception, finding.message, actor)

    async def _note_failed(self, going: Any, chosen: Sequence[Any], after: int, error: Exception) -> None:
        why = {"failed": type(error).__name__}
        rows = [{"place": row["place"], "found": "failed", "difference": why} for row in chosen]
        async with self._database.transaction() as tx:
            await replay_store.note(tx.connection, going["id"], rows, after=after, place=chosen[-1]["place"])


async def _note(
    connection: Any, replay_id: UUID, findings: Sequence[Finding], places: dict[UUID, int], after: int
) -> None:
    rows = list(_rows(findings, places))
    if not await replay_store.note(connection, replay_id, rows, after=after, place=max(places.values())):
        raise NotOursError


def _rows(findings: Sequence[Finding], places: dict[UUID, int]) -> Iterator[dict[str, object]]:
    for finding in findings:
        place = places[finding.message.id]
        if finding.left:
            yield {"place": place, "found": "left", "difference": difference_of(finding)}
        elif finding.is_changed:
            yield {"place": place, "found": "changed", "difference": difference_of(finding)}
        else:
            yield {"place": place, "found": "unchanged", "difference": None}


def difference_of(finding: Finding) -> dict[str, object]:
    """What would be other than it is, by the names of fields and events: nothing of a person stands in it."""
    message = finding.message
    return {
        "outcome": [message.outcome, finding.outcome],
        "reason": [message.reason, finding.reason],
        "fields": list(finding.fields),
        "events": [draft.fact.TYPE for draft in finding.drafts],
        "left": finding.left,
    }

"""Messages that overtook the merge which explains them: held for a visit of another patient, and applied by themselves
once the two patients are known to be one.
"""

import asyncio
import time

from services.intake import log_store
from services.intake.committing import STORE_AWAY
from services.intake.correcting import Corrector
from services.intake.receiving import Reception
from services.intake.replaying import replay
from shared.http import Problem
from shared.metrics import WORK_ALIVE
from shared.postgres import Database
from shared.telemetry import log

LOOK_EVERY_S = 1.0
AT_ONCE = 100
# Where very many are held, looking through them takes no more than this share of the time.
SHARE = 0.05
BY_ITSELF = "intake"


class Release:
    def __init__(self, database: Database, corrector: Corrector, reception: Reception) -> None:
        self._database = database
        self._corrector = corrector
        self._reception = reception

    async def run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self.release()
                WORK_ALIVE.labels("release").set_to_current_time()
            except (*STORE_AWAY, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()) and task.cancelling():
                    raise
                log.warning("held messages not looked at", error=error, retry_in=LOOK_EVERY_S)
            except Exception as error:  # noqa: BLE001  (a held message that can't be read must not stop the feeds)
                log.error("held messages not looked at", error=error, retry_in=LOOK_EVERY_S)
            await asyncio.sleep(max(LOOK_EVERY_S, (time.monotonic() - began) / SHARE))

    async def release(self) -> int:
        """Offers those that a merge has set free, in the order of their arrival; answers how many."""
        async with self._database.pool.acquire() as connection:
            ids = await log_store.set_free_by_merges(connection, AT_ONCE)
        for message in await self._corrector.read(ids):
            try:
                await replay(self._database, self._reception, message, BY_ITSELF)
            except Problem:
                continue  # somebody was quicker
        if ids:
            log.info("messages set free by a merge", count=len(ids))
        return len(ids)

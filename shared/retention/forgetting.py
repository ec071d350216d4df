"""The loop that forgets: a table at a time, a small batch a transaction, so that nobody waits for it."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from shared.kafka.failures import is_transient
from shared.metrics import ROWS_FORGOTTEN, WORK_ALIVE
from shared.postgres import Database
from shared.retention import store
from shared.retention.rules import RetentionSettings, Rule, read_rules
from shared.telemetry import log

AT_ONCE = 1000
BREATH_S = 0.05


class Forgetting:
    """Deletes what has ended long ago; several may run at once. `tables` says, for each, which rows have ended."""

    def __init__(
        self, database: Database, rules: Mapping[str, Rule], tables: Mapping[str, str], every_s: float = 3600.0
    ) -> None:
        self._database = database
        self._rules = rules
        self._tables = tables
        self._every_s = every_s

    @classmethod
    def of(cls, database: Database, settings: RetentionSettings, own: Mapping[str, str]) -> "Forgetting":
        """For a service's own tables and those of the machinery in its schema. Raises WrongRetentionError."""
        tables = {**own, **store.MACHINERY}
        return cls(database, read_rules(settings.file, database.service, tables), tables, settings.every_s)

    async def run(self) -> None:
        """Until cancelled. A table that can't be deleted from keeps no other from it."""
        while True:
            failed = False
            for table in self._rules:
                try:
                    await self.forget(table)
                except Exception as error:  # noqa: BLE001  (an hour later it is tried again; a heartbeat is missing)
                    failed = True
                    tell = log.warning if is_transient(error) else log.error
                    tell("retention failed", kind=table, exc_info=error)
            if not failed:
                WORK_ALIVE.labels("retention").set_to_current_time()
            await asyncio.sleep(self._every_s)

    async def forget(self, table: str, most: int = AT_ONCE) -> int:
        """Deletes all of the table that its rule lets go; answers how many rows."""
        async with self._database.pool.acquire() as connection:
            before = await store.instant_before(connection, timedelta(days=self._rules[table].days))
        total = 0
        while True:
            async with self._database.transaction() as tx:
                gone = await store.forget(tx.connection, table, self._tables[table], before, most)
            total += gone
            if gone < most:
                break
            await asyncio.sleep(BREATH_S)
        if total:
            ROWS_FORGOTTEN.labels(table).inc(total)
            log.info("old rows forgotten", kind=table, count=total)
            async with self._database.transaction() as tx:
                await store.note(tx.connection, self._database.service, table, f"{total} rows before {before.date()}")
        return total

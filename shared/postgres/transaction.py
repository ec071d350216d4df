"""One transaction of a use case: lock the patients, change rows, say events. It never commits by itself."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import asyncpg

from shared.events import Draft
from shared.postgres import outbox

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

LOCK = "SELECT subject, survivor FROM lock_patients($1)"
LOCK_IDLE = "SELECT subject, survivor FROM lock_idle_patients($1)"
# Chains collapse: whoever had been merged into the retired patient is now merged into the survivor.
ALIAS = """
WITH merged AS (
    SELECT m.retired, coalesce(k.survivor, m.survivor) AS survivor
    FROM unnest($1::text[], $2::text[]) AS m (retired, survivor) LEFT JOIN patient_key k ON k.id = m.survivor
)
UPDATE patient_key k SET survivor = m.survivor FROM merged m
WHERE (k.id = m.retired OR k.survivor = m.retired) AND k.id <> m.survivor
"""


class Transaction:
    """What a use case gets. `connection` is inside the transaction; `publish` is the only way to say an event."""

    __slots__ = ("_locked", "connection", "has_published", "service")

    def __init__(self, connection: "Connection", service: str) -> None:
        self.connection = connection
        self.service = service
        self.has_published = False
        self._locked: dict[str, str] = {}

    async def lock(self, subjects: Iterable[str]) -> dict[str, str]:
        """Locks these patients (and those they were merged into) until the end, in id order.

        Every writer calls this before it touches rows of a patient. Answers subject -> surviving subject. Who was
        locked in this transaction before stays locked, and stays who it is: asking again costs nothing.
        """
        wanted = set(subjects)
        if not wanted <= self._locked.keys():
            rows = await self.connection.fetch(LOCK, sorted(wanted))
            self.has_locked({row["subject"]: row["survivor"] for row in rows})
        return {subject: self._locked[subject] for subject in wanted}

    def has_locked(self, survivors: Mapping[str, str]) -> None:
        """Notes what a statement of this transaction has locked: subject -> surviving subject."""
        self._locked.update(survivors)

    async def lock_idle(self, subjects: Iterable[str]) -> dict[str, str]:
        """As `lock`, but leaves out patients who are busy elsewhere instead of waiting for them."""
        rows = await self.connection.fetch(LOCK_IDLE, sorted(set(subjects)))
        return {row["subject"]: row["survivor"] for row in rows}

    async def publish(self, drafts: Sequence[Draft]) -> None:
        """Appends events to the outbox, numbered per topic and subject, in the given order.

        The subjects must be locked: their sequence numbers and the order of their commits depend on it.
        """
        if drafts:
            await outbox.append(self.connection, self.service, drafts)
            self.has_published = True

    async def alias(self, retired: str, survivor: str) -> None:
        """Records that `retired` is now `survivor`; both must be locked. Later locks resolve it."""
        await self.aliases({retired: survivor})

    async def aliases(self, merged: Mapping[str, str]) -> None:
        """The same of several at once (retired -> survivor), none of whom stands in two of them."""
        await self.connection.execute(ALIAS, list(merged), list(merged.values()))
        now = {retired: self._locked.get(survivor, survivor) for retired, survivor in merged.items()}
        self._locked = {subject: now.get(who, who) for subject, who in self._locked.items()}

    async def now(self) -> datetime:
        """The database's clock (UTC): the one that decides what is due."""
        at: datetime = await self.connection.fetchval("SELECT clock_timestamp()")
        return at

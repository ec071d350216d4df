"""A service's database: the pool, and transactions in which an effect and the events that say so are one."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import asyncpg
import orjson
from typing_extensions import override

from shared.postgres.settings import PostgresSettings
from shared.postgres.transaction import Transaction
from shared.telemetry import describe_error, log

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

# A transaction that waits for its client this long is ended by the server: it would hold patients' locks.
IDLE_IN_TRANSACTION_MS = 10_000
# How long a server may take to recover from a crash before a service that starts meanwhile gives up.
RECOVERY_S = 60.0
RECOVERY_LOOK_S = 0.1
CLOSE_S = 5.0


class Session(asyncpg.Connection):
    """A connection that goes back into the pool as it is.

    Nothing here sets anything for the session, and whoever takes an advisory lock or listens ends that itself: the
    statement by which asyncpg forgets all such things would be one more round trip after every transaction.
    """

    @override
    def get_reset_query(self) -> str:
        return ""


class Database:
    """A pool bound to one service's schema."""

    def __init__(self, service: str, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.service = service
        self.pool = pool
        self.published = asyncio.Event()
        """Set when a transaction that said something has committed: the relay wakes up."""

    @asynccontextmanager
    async def transaction(self, on: "Connection | None" = None) -> AsyncIterator[Transaction]:
        """One transaction. Commits on leaving, rolls back when an exception leaves it.

        `on` is a connection that the caller keeps: taking one from the pool and giving it back is a round trip.
        """
        async with self.pool.acquire() if on is None else nullcontext(on) as connection:
            async with connection.transaction():
                said = Transaction(connection, self.service)
                yield said
            if said.has_published:
                self.published.set()

    async def close(self) -> None:
        """Waits a little for those who still hold a connection; a server that is gone must not keep a process from
        ending.
        """
        try:
            await asyncio.wait_for(self.pool.close(), CLOSE_S)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self.pool.terminate()


async def open_database(service: str, settings: PostgresSettings) -> Database:
    """Connects with search_path set to the service's schema. A server that says it is still starting (it recovers from
    a crash) is waited for, and a little also one that is not there. Raises OSError or asyncpg.PostgresError if it can't
    connect.
    """
    began, is_told = time.monotonic(), False
    while True:
        try:
            return Database(service, await _open_pool(service, settings))
        except asyncpg.CannotConnectNowError:
            if time.monotonic() > began + RECOVERY_S:
                raise
        except (OSError, asyncpg.TooManyConnectionsError) as error:
            if time.monotonic() > began + settings.start_patience_s:
                raise
            if not is_told:
                log.warning("database away, waiting", limit=settings.start_patience_s, error=describe_error(error))
                is_told = True
        await asyncio.sleep(RECOVERY_LOOK_S)


async def _open_pool(service: str, settings: PostgresSettings) -> "asyncpg.Pool[asyncpg.Record]":
    return await asyncpg.create_pool(
        connection_class=Session,
        host=settings.host,
        port=settings.port,
        database=settings.database,
        user=settings.user,
        password=settings.password.get_secret_value(),
        ssl="require" if settings.tls else False,
        min_size=settings.pool_min,
        max_size=settings.pool_max,
        command_timeout=settings.statement_timeout_s,
        init=_speak_json,
        server_settings={
            "search_path": service,
            "application_name": f"handoff-{service}",
            "timezone": "UTC",
            "jit": "off",
            "statement_timeout": str(int(settings.statement_timeout_s * 1000)),
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_MS),
        },
    )


async def _speak_json(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + (value if isinstance(value, bytes) else orjson.dumps(value)),
        decoder=lambda raw: orjson.loads(memoryview(raw)[1:]),
    )

"""The embedded PostgreSQL: its cluster, its roles, its process. TCP on 127.0.0.1 and scram only.

One database `handoff`; every service has one role and one schema of its own name and sees no other.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import asyncpg
from pydantic import SecretStr

from deploy.local import ports
from deploy.local.dying import ending_with_parent
from deploy.local.keys import SERVICES, SUPERUSER, LocalKeys
from deploy.local.pginstall import Owner, data_folder, programs
from shared.postgres import PostgresSettings

DATABASE = "handoff"
START_SECONDS = 60.0
STOP_SECONDS = 8.0
CONFIGURATION = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "150",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "pglz",
    "jit": "off",  # short statements only: compiling costs more than it saves
    # An error's message, detail and statement quote rows, and rows are people: the server's log gets none of them.
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class PostgresError(Exception):
    """The server could not be set up or started. The message is one line for an operator."""


class EmbeddedPostgres:
    """A cluster below `run_folder`. `prepare()` creates it, `start()` and `stop()` run it; kill -9 does it no harm."""

    def __init__(self, run_folder: Path, port: int, *, owner: Owner | None = None, durable: bool = True) -> None:
        """`durable=False` turns fsync off: only for tests that do not speak of promises."""
        self.port = port
        self.owner = owner or Owner.choose()
        self.keys = LocalKeys(run_folder / "keys.json")
        self.data = data_folder(self.owner, run_folder)
        self.log = run_folder / "logs" / "postgres.log"
        self._durable = durable
        self._process: asyncio.subprocess.Process | None = None

    def prepare(self) -> None:
        """Create the cluster unless it stands. Raises PostgresError when the disk is full or not writable."""
        self.bin = programs(self.owner)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if (self.data / "PG_VERSION").exists() and (self.data / "handoff.complete").exists():
            return
        self.owner.folder(self.data)
        for leftover in self.data.iterdir():  # the first start was cut off before the server ever ran
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        self._initialise()

    def _initialise(self) -> None:
        secret = self.data.with_name(f"{self.data.name}.init")
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(self.keys.password(SUPERUSER))
        try:
            self.owner.take(secret)
            done = self.owner.run(
                self.bin / "initdb", "-D", self.data, "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={secret}",
                "--encoding=UTF8", "--no-locale", "--data-checksums", *([] if self._durable else ["--no-sync"]),
            )  # fmt: skip
        finally:
            secret.unlink()
        if done.returncode != 0:
            raise PostgresError(explain(done.stderr) or f"initdb ended with {done.returncode}")
        (self.data / "handoff.complete").touch()
        self.owner.take(self.data / "handoff.complete")

    def command(self) -> list[str]:
        """The server's command line, for whoever keeps the child."""
        settings = {**CONFIGURATION, "port": str(self.port)}
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.bin / "postgres"), "-D", str(self.data), *options]

    async def start(self) -> None:
        """Start the server as a child of this program, wait until it answers, make roles and schemas."""
        self.prepare()
        if not ports.is_free(self.port):
            raise ports.PortTakenError(self.port, "PostgreSQL", "HANDOFF_POSTGRES_PORT")
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *ending_with_parent(self.command(), signal.SIGINT, uid=self.owner.uid, gid=self.owner.gid),
                cwd=self.data,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await self.ready()
        await self.ensure_roles()

    async def ready(self) -> None:
        """Wait until the server accepts a login. Raises PostgresError with the log's reason when it ends instead."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            try:
                connection = await self.connect("postgres")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if self._process is not None and self._process.returncode is not None:
                    raise PostgresError(self.last_words()) from None
                if asyncio.get_running_loop().time() > deadline:
                    raise PostgresError(f"no answer after {START_SECONDS:.0f} s: {type(error).__name__}") from None
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return

    async def connect(self, database: str = DATABASE) -> asyncpg.Connection:
        """A connection of the superuser: for setting up, cloning and restoring only."""
        return await asyncpg.connect(
            host="127.0.0.1",
            port=self.port,
            user=SUPERUSER,
            password=self.keys.password(SUPERUSER),
            database=database,
            timeout=5,
        )

    async def ensure_roles(self, services: Sequence[str] = SERVICES) -> None:
        """The database, and per service a role that owns a schema of its name; safe to repeat."""
        connection = await self.connect("postgres")
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
            for service in services:
                if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", service):
                    password = self.keys.password(service)
                    await connection.execute(f"CREATE ROLE {service} LOGIN PASSWORD '{password}'")
        finally:
            await connection.close()
        connection = await self.connect()
        try:
            await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
            for service in services:
                await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {service}")
                await connection.execute(f"ALTER ROLE {service} SET search_path = {service}")
        finally:
            await connection.close()

    def settings(self, service: str, database: str = DATABASE) -> PostgresSettings:
        return PostgresSettings(
            host="127.0.0.1",
            port=self.port,
            database=database,
            user=service,
            password=SecretStr(self.keys.password(service)),
        )

    async def stop(self) -> None:
        """A fast shutdown (open transactions end, the log is flushed); after 8 s an immediate one."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.send_signal(signal.SIGINT)  # "fast"
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.send_signal(signal.SIGQUIT)  # "immediate", recovered from the log at the next start
            await self._process.wait()

    async def kill(self) -> None:
        """End the server as a power cut would: nothing is flushed."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGQUIT)
            await self._process.wait()

    def remove(self) -> None:
        """Delete the data for good. The server must not run."""
        shutil.rmtree(self.data, ignore_errors=True)

    def last_words(self) -> str:
        """Why the server ended, from its log, as one line."""
        try:
            tail = self.log.read_text(encoding="utf-8", errors="replace")[-4000:]
        except OSError:
            tail = ""
        return explain(tail) or f"PostgreSQL ended; see {self.log}"


def explain(output: str) -> str | None:
    """The line of PostgreSQL's output that names the trouble, or None."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for sign in ("No space left on device", "Address already in use", "Permission denied"):
        for line in reversed(lines):
            if sign in line:
                hint = "; free space there and start again" if sign.startswith("No space") else ""
                return f"PostgreSQL: {line}{hint}"
    said = [line for line in lines if "FATAL" in line or "PANIC" in line or "error" in line]
    return f"PostgreSQL: {said[-1]}" if said else None

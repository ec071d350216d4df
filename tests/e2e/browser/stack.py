"""The console and what it needs, as real processes and servers: PostgreSQL, broker, issuer, `services.dashboard`."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import aiohttp

from deploy.local.ports import free_port
from shared.events import AnyEvent, Draft
from shared.kafka import KafkaSettings
from shared.postgres import Database
from tests.support.databases import Databases
from tests.support.story import until

# Two cores may be busy with much else while a process imports what it needs.
STARTS_WITHIN_S = 90.0
ROOT = Path(__file__).resolve().parents[3]


class Child:
    """A program of ours in a process of its own, that answers at `url` when it is ready."""

    def __init__(self, module: str, environment: Mapping[str, str], url: str, log: Path) -> None:
        self._module, self._environment, self._url, self._log = module, dict(environment), url, log
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                env=os.environ | self._environment,
                cwd=ROOT,
                stdout=out,
                stderr=out,
            )
        await until(self._answers, f"{self._module} answers; its log is {self._log}", STARTS_WITHIN_S)

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"{self._module} ended:\n{self._log.read_text()[-2000:]}"
        with suppress(aiohttp.ClientError, TimeoutError):
            async with aiohttp.ClientSession() as session, session.get(self._url) as answer:
                return answer.status == 200
        return False

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()


class Stack:
    """`tell` lets the services say events, through their own outboxes and relays."""

    def __init__(self, databases: Databases, kafka: KafkaSettings, folder: Path) -> None:
        self.databases, self.kafka, self.folder = databases, kafka, folder
        ports = {name: free_port() for name in ("dashboard", "issuer", "notifications", "intake")}
        self.url = f"http://127.0.0.1:{ports['dashboard']}"
        self.issuer_url = f"http://127.0.0.1:{ports['issuer']}"
        self.ports = ports
        self.console = Child("services.dashboard", self._console(), f"{self.url}/readyz", folder / "console.log")
        self.issuer = Child(
            "deploy.local.issuer", self._issuer(), f"{self.issuer_url}/.well-known/jwks.json", folder / "issuer.log"
        )
        self._tellers: dict[str, Database] = {}

    def _console(self) -> dict[str, str]:
        postgres = self.databases.settings("dashboard")
        nowhere = "http://127.0.0.1:9"
        services = dict.fromkeys(("INTAKE", "TRANSITIONS", "CAREPLAN", "NOTIFICATIONS"), nowhere)
        services["DASHBOARD"] = self.url
        return {
            "DASHBOARD_POSTGRES__HOST": postgres.host,
            "DASHBOARD_POSTGRES__PORT": str(postgres.port),
            "DASHBOARD_POSTGRES__DATABASE": postgres.database,
            "DASHBOARD_POSTGRES__USER": postgres.user,
            "DASHBOARD_POSTGRES__PASSWORD": postgres.password.get_secret_value(),
            "DASHBOARD_KAFKA__BOOTSTRAP": self.kafka.bootstrap,
            "DASHBOARD_HTTP__PORT": str(self.ports["dashboard"]),
            "DASHBOARD_HTTP__ISSUER": self.issuer_url,
            "DASHBOARD_ISSUER_LOGIN": self.issuer_url,
            **{f"DASHBOARD_SERVICES__{name}": url for name, url in services.items()},
        }

    def _issuer(self) -> dict[str, str]:
        return {
            "ISSUER_PORT": str(self.ports["issuer"]),
            "ISSUER_URL": self.issuer_url,
            "ISSUER_CONSOLE": self.url,
            "ISSUER_FOLDER": str(self.folder),
        }

    async def start(self) -> None:
        await self.issuer.start()
        await self.console.start()

    def stop(self) -> None:
        self.console.stop()
        self.issuer.stop()

    async def teller(self, service: str) -> Database:
        if service not in self._tellers:
            self._tellers[service] = await self.databases.open(service)
        return self._tellers[service]

    async def tell(self, events: Sequence[AnyEvent]) -> None:
        """Appends each event to its service's outbox; the relays publish them."""
        for service in sorted({event.source for event in events}):
            drafts = [draft_of(event) for event in events if event.source == service]
            database = await self.teller(service)
            async with database.transaction() as tx:
                await tx.lock({draft.subject for draft in drafts})
                await tx.publish(drafts)

    async def seen(self, database: Database, event: AnyEvent) -> None:
        """Waits until the console has projected the event."""

        async def there() -> bool:
            found: int = await database.pool.fetchval("SELECT count(*) FROM event_log WHERE event_id = $1", event.id)
            return found == 1

        await until(there, f"the console projects {event.type}")


def draft_of(event: AnyEvent) -> Draft:
    return Draft(
        fact=event.fact,
        subject=event.subject,
        time=event.time,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        version=event.version,
        snapshot=event.snapshot,
        id=event.id,
    )

"""One node that is broker and controller. Its log is durable: a restart keeps the log id and every record."""

import asyncio
import os
import shutil
import signal
import subprocess
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from pydantic import SecretStr

from deploy.local import broker, ports
from deploy.local.dying import ending_with_parent
from shared.kafka import KafkaSettings

VERSION = "4.1.1"
HERE = Path(__file__).resolve().parent
START_SECONDS = 60.0
HEAP = "-Xmx512m"


def cluster_id() -> str:
    """22 characters, as Kafka makes its own: one that began with a dash would be taken for an option."""
    while (made := urlsafe_b64encode(uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return made


class ApacheKafkaError(Exception):
    """Java or the jars are missing, or the node does not start. The message is one line for an operator."""


class ApacheKafka:
    """A node below `run_folder`/kafka on 127.0.0.1; the controller's port is chosen at the first start.

    `users`: names and passwords. With them every client must say who it is, the first may do all, and the others what
    rules allow them. None: everyone may do all.
    """

    def __init__(self, run_folder: Path, port: int, users: Mapping[str, str] | None = None) -> None:
        self.port = port
        self._users = dict(users or {})
        self.kafka = self.reached_by(next(iter(self._users), None))
        self._folder = run_folder / "kafka"
        self._log = run_folder / "logs" / "broker.log"
        self._process: asyncio.subprocess.Process | None = None

    def reached_by(self, user: str | None) -> KafkaSettings:
        """How this user reaches the node; None where it has no users."""
        bootstrap = f"127.0.0.1:{self.port}"
        if user is None:
            return KafkaSettings(bootstrap=bootstrap)
        return KafkaSettings(
            bootstrap=bootstrap,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="PLAIN",
            sasl_username=user,
            sasl_password=SecretStr(self._users[user]),
            plaintext_outside_loopback=True,
        )

    def prepare(self) -> None:
        """Fetch the jars unless they are cached, and format the log's folder once. Raises ApacheKafkaError."""
        java()
        jars()
        if self._properties.exists():
            self._write_properties(controller=self._controller_port())
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._write_properties(controller=ports.free_port())
        done = subprocess.run(
            [*self._java("kafka.tools.StorageTool"), "format", "-t", cluster_id(), "-c", str(self._properties)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            self._properties.unlink()
            raise ApacheKafkaError(f"Kafka's storage could not be formatted: {_last_line(done.stderr or done.stdout)}")

    def command(self) -> list[str]:
        return [*self._java("kafka.Kafka"), str(self._properties)]

    async def start(self) -> str:
        """Start the node and wait until it answers; the id of its log."""
        await asyncio.to_thread(self.prepare)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *ending_with_parent(self.command(), signal.SIGTERM),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            return await broker.answers(self.kafka, START_SECONDS)
        except broker.BrokerError as error:
            await self.kill()
            raise ApacheKafkaError(f"{error}; see {self._log}") from None

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 15)
            except TimeoutError:
                await self.kill()

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def _properties(self) -> Path:
        return self._folder / "server.properties"

    def _controller_port(self) -> int:
        for line in self._properties.read_text(encoding="utf-8").splitlines():
            if line.startswith("controller.quorum.voters="):
                return int(line.rsplit(":", 1)[1])
        raise ApacheKafkaError(f"{self._properties} names no controller; remove {self._folder} to begin anew")

    def _write_properties(self, controller: int) -> None:
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"{self._protocol}://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"{self._protocol}://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(self._folder / "log"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            **(self._access_control() if self._users else {}),
        }
        lines = [f"{name}={value}" for name, value in settings.items()]
        self._properties.write_text("\n".join(lines) + "\n", encoding="utf-8")

    @property
    def _protocol(self) -> str:
        return "SASL_PLAINTEXT" if self._users else "PLAINTEXT"

    def _access_control(self) -> dict[str, str]:
        first, password = next(iter(self._users.items()))
        known = " ".join(f'user_{name}="{secret}"' for name, secret in self._users.items())
        login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        return {
            "listener.security.protocol.map": "SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": self._protocol,
            "sasl.enabled.mechanisms": "PLAIN",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": (
                f'{login} username="{first}" password="{password}" {known};'
            ),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # The controller's own listener knows nobody.
            "super.users": f"User:{first};User:ANONYMOUS",
        }

    def _java(self, main: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
        return [java(), HEAP, "-Xms256m", logging, "-cp", f"{jars()}/*", main]


def java() -> str:
    """Path of Java 17 or newer. Raises ApacheKafkaError naming the package when there is none."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if found is None:
        raise ApacheKafkaError("Apache Kafka needs Java 17: install openjdk-17-jre-headless (Debian) or set JAVA_HOME")
    return found


def jars() -> Path:
    """The folder of Kafka's jars, fetched by Maven the first time. Raises ApacheKafkaError when that fails."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "handoff"
    folder = cache / f"kafka-{VERSION}"
    if folder.exists():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise ApacheKafkaError("fetching Apache Kafka needs Maven: install maven (Debian)")
    fetched = cache / f"kafka-{VERSION}.{os.getpid()}"
    done = subprocess.run(
        [
            maven, "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies",
            f"-DoutputDirectory={fetched}", "-DincludeScope=runtime",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        shutil.rmtree(fetched, ignore_errors=True)
        raise ApacheKafkaError(f"Maven could not fetch Apache Kafka: {_last_line(done.stdout or done.stderr)}")
    if folder.exists():
        shutil.rmtree(fetched)
    else:
        fetched.rename(folder)
    return folder


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if "ERROR" in line] or output.splitlines()
    return lines[0][:300] if lines else "no reason given"

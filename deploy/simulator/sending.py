"""Sending over MLLP as a hospital's engine does: one message at a time, again until it is acknowledged."""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

START = b"\x0b"
END = b"\x1c\r"
ACK_SECONDS = 30.0
RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
LARGEST_ACK = 1 << 16
POSITIVE = frozenset({"AA", "CA"})


class NoAckError(Exception):
    """The connection ended, or what came back acknowledges another message: the outcome is unknown."""


@dataclass(frozen=True, slots=True)
class Ack:
    """MSA-1, MSA-2 and what the receiver says about an error."""

    code: str
    control_id: str
    text: str

    @property
    def positive(self) -> bool:
        return self.code in POSITIVE


def read_ack(payload: bytes) -> Ack:
    """Raises NoAckError when there is no MSA in it."""
    for segment in payload.decode(errors="replace").split("\r"):
        if segment.startswith("MSA|"):
            fields = [*segment.split("|"), "", "", ""]
            return Ack(fields[1], fields[2], fields[3] or _error_text(payload))
    raise NoAckError("the answer has no MSA")


def _error_text(payload: bytes) -> str:
    for segment in payload.decode(errors="replace").split("\r"):
        if segment.startswith("ERR|"):
            return " ".join(field for field in segment.split("|")[2:] if field)
    return ""


class Connection:
    """One connection of one feed; opened on the first message and again after every fault."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, payload: bytes) -> Ack:
        """One message and its acknowledgement. Raises OSError or NoAckError when the outcome is unknown."""
        try:
            reader, writer = self._streams or await self._open()
            writer.write(START + payload + END)
            await writer.drain()
            async with asyncio.timeout(ACK_SECONDS):
                answer = await reader.readuntil(END)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError) as error:
            await self.close()
            raise NoAckError(type(error).__name__) from error
        return read_ack(answer[answer.rfind(START) + 1 : -len(END)])

    async def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self._streams = await asyncio.open_connection(self._host, self._port, limit=LARGEST_ACK)
        return self._streams


async def send_until_acknowledged(connection: Connection, payload: bytes, control_id: str) -> tuple[Ack, int]:
    """The acknowledgement and how often the message was sent. Tries for ever: an engine's queue does not give up."""
    tries = 0
    while True:
        tries += 1
        try:
            ack = await connection.send(payload)
            if ack.control_id == control_id:
                return ack, tries
            await connection.close()
        except NoAckError:
            pass
        await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS)) - 1])


class SentLog:
    """JSON lines of what was acknowledged, written through before the next message is sent."""

    def __init__(self, file: Path | None) -> None:
        self._out: TextIO | None = None
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._out = file.open("a", encoding="utf-8")

    def note(self, **said: str | int) -> None:
        """`said` holds control numbers only, nothing about a person."""
        if self._out is not None:
            self._out.write(json.dumps({"at": round(time.time(), 3), **said}) + "\n")
            self._out.flush()

    def close(self) -> None:
        if self._out is not None:
            self._out.close()

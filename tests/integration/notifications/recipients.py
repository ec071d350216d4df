"""Recipients' servers on real sockets, that behave or misbehave as told."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

OK = b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Got:
    headers: dict[str, str]
    body: Any
    raw: bytes


Writer = asyncio.StreamWriter
Manner = Callable[["Recipient", Got, Writer], Awaitable[None]]


@dataclass
class Recipient:
    """A server that keeps what it got; `manner` answers each request."""

    manner: Manner
    port: int = 0
    got: list[Got] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def types(self) -> list[str]:
        return [one.body["event_type"].removeprefix("care.encounter.").removesuffix(".v1") for one in self.got]

    async def answer(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        try:
            while (got := await _read(reader)) is not None:
                self.got.append(got)
                await self.manner(self, got, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Got | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    return Got(headers, json.loads(raw), raw)


def answering(status: str, *headers: str, body: bytes = b"") -> Manner:
    async def manner(_recipient: Recipient, _got: Got, writer: Writer) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    return manner


async def accepting(_recipient: Recipient, _got: Got, writer: Writer) -> None:
    writer.write(OK)


async def hanging(recipient: Recipient, _got: Got, _writer: Writer) -> None:
    await recipient.hold.wait()


async def dripping(recipient: Recipient, _got: Got, writer: Writer) -> None:
    """A byte of the head at a time, for ever."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 100_000:
        writer.write(bytes([byte]))
        await writer.drain()
        try:
            async with asyncio.timeout(0.05):
                await recipient.hold.wait()
                return
        except TimeoutError:
            continue


async def resetting(_recipient: Recipient, _got: Got, writer: Writer) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def flooding(recipient: Recipient, _got: Got, writer: Writer) -> None:
    """A 200 with a body that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not recipient.hold.is_set():
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


@asynccontextmanager
async def recipient(manner: Manner = accepting) -> AsyncIterator[Recipient]:
    one = Recipient(manner)
    server = await asyncio.start_server(one.answer, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        one.hold.set()
        server.close()

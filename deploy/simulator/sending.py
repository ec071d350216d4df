"""Sending as a hospital's engine does: one message at a time, again until it is acknowledged."""

import asyncio
import json
import time
from pathlib import Path
from typing import TextIO

from shared.mllp import RETRY_SECONDS, Ack, MllpClient, NoAckError


async def send_until_acknowledged(client: MllpClient, payload: bytes) -> tuple[Ack, int]:
    """The acknowledgement, also a negative one, and how often the message was sent. Tries for ever: an engine's queue
    does not give up.
    """
    tries = 0
    while True:
        tries += 1
        try:
            return await client.send(payload), tries
        except NoAckError:
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

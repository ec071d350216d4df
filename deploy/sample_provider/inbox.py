"""What was received: each notice once, on disk before it is answered."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

WATCHERS_LAG = 1000


class Inbox:
    """Notices in the order of their first arrival, told apart by webhook-id; one JSON line each in `file`."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.notices = _read(file)
        self.repeated = 0
        self._ids = {notice["webhook_id"] for notice in self.notices}
        self._watchers: set[asyncio.Queue[Mapping[str, Any]]] = set()
        self._log = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def keep(self, webhook_id: str, notice: Mapping[str, Any]) -> bool:
        """False when it was received before: delivery is at least once, so a receiver must expect that."""
        if webhook_id in self._ids:
            self.repeated += 1
            return False
        kept = {
            "webhook_id": webhook_id,
            "order": len(self.notices) + 1,
            "received_at": datetime.now(UTC).isoformat(),
            "notice": notice,
        }
        os.write(self._log, json.dumps(kept).encode() + b"\n")
        self._ids.add(webhook_id)
        self.notices.append(kept)
        for watcher in self._watchers:
            if watcher.full():
                watcher.get_nowait()
            watcher.put_nowait(kept)
        return True

    @contextmanager
    def watched(self) -> Iterator[asyncio.Queue[Mapping[str, Any]]]:
        """What arrives from now on; a watcher that lags loses the oldest."""
        queue: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(WATCHERS_LAG)
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    def close(self) -> None:
        os.close(self._log)


def _read(file: Path) -> list[dict[str, Any]]:
    """A last line that a kill cut short was never answered: it comes again, and is left out here."""
    if not file.exists():
        return []
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(file, len(whole))
    return [json.loads(line) for line in whole.splitlines()]


async def stream(inbox: Inbox, stopping: asyncio.Event) -> AsyncIterator[dict[str, str]]:
    """Server-sent events, until the server stops."""
    ended = asyncio.create_task(stopping.wait())
    with inbox.watched() as queue:
        while not ended.done():
            arrival = asyncio.create_task(queue.get())
            await asyncio.wait({arrival, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not arrival.done():
                arrival.cancel()
                return
            yield {"event": "notice", "data": json.dumps(shown(arrival.result()))}


def listed(kept: Mapping[str, Any]) -> dict[str, Any]:
    """What a comparison with the sender's own books needs; no names."""
    notice = kept["notice"]
    return {
        "webhook_id": kept["webhook_id"],
        "order": kept["order"],
        "received_at": kept["received_at"],
        "event_id": notice["event_id"],
        "event_type": notice["event_type"],
        "occurred_at": notice["occurred_at"],
        "patient_id": notice.get("patient_id"),
        "encounter_id": notice.get("encounter_id"),
        "retracts": notice.get("retracts", []),
        "amends": notice.get("amends"),
    }


def shown(kept: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the page: the recipient treats the patient, so names stand there."""
    notice = kept["notice"]
    stay = notice.get("encounter") or {}
    task = notice.get("task") or {}
    return {
        **listed(kept),
        "patient": (stay.get("patient") or {}).get("name"),
        "facility": (stay.get("facility") or {}).get("name") or (stay.get("facility") or {}).get("code"),
        "diagnosis": next((one.get("text") or one.get("code") for one in stay.get("diagnoses") or ()), None),
        "task": task.get("title"),
        "bases": notice.get("bases", []),
    }

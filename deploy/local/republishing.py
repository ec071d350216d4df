"""After a broker lost its log: every service tells how far it had read, and every relay says again what is missing.

Positions are taken once, before any relay opens, and kept in a file until all relays are open: a reader that has
moved on to the new log could no longer tell what it lacks of the old one.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.operations import Operations


async def open_relays(operations: Operations, services: Sequence[str], log_id: str, notes: Path) -> dict[str, int]:
    """Open every relay on the log `log_id`; rows that go out again, per service whose relay was not open on it.

    Raises CallFailedError when a service does not answer; call again later, `notes` keeps what was learnt.
    """
    positions = _noted(notes)
    behind = []
    for service in services:
        told = await operations.get(service, "/operations/positions")
        positions += [one for one in told["positions"] if one not in positions]
        if told["relay"]["log_id"] != log_id:
            behind.append(service)
    if not behind:
        _forget(notes)
        return {}
    _note(notes, positions)
    rows = {}
    for service in behind:
        answer = await operations.post(service, "/operations/republish", {"log_id": log_id, "positions": positions})
        rows[service] = int(answer["rows"])
    _forget(notes)
    return rows


def _forget(notes: Path) -> None:
    notes.unlink(missing_ok=True)


def _noted(notes: Path) -> list[dict[str, Any]]:
    if not notes.exists():
        return []
    positions: list[dict[str, Any]] = json.loads(notes.read_text(encoding="utf-8"))
    return positions


def _note(notes: Path, positions: list[dict[str, Any]]) -> None:
    unfinished = notes.with_suffix(".new")
    unfinished.write_text(json.dumps(positions), encoding="utf-8")
    unfinished.replace(notes)

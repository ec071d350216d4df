"""Which protocols stood in the folder when: kept, so that a running transition is never rewritten by a newer file."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING

import orjson

from services.transitions.protocols import Library, Protocol, WrongProtocolError
from services.transitions.risk.scoring import Scoring
from shared.postgres import Database

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

EDITIONS = "SELECT edition, protocols::text AS protocols FROM protocol_edition"
REGISTER = """
INSERT INTO protocol_edition (edition, protocols) VALUES ($1, $2) ON CONFLICT (edition) DO NOTHING
"""


async def register_protocols(
    database: Database,
    current: Sequence[Protocol],
    closed: Mapping[str, Mapping[date, str]] | None = None,
    scoring: Scoring | None = None,
) -> Library:
    """The library of all editions ever used, with this one registered; `closed` are the facilities' calendars,
    `scoring` the scores in force (those shipped, unless said otherwise).

    Raises WrongProtocolError when a version that was used before now says something else: a change of rule needs a
    new version, or nobody could tell under which rule a task was counted.
    """
    async with database.transaction() as tx:
        earlier = await _read_editions(tx.connection)
        library = Library(current, earlier, closed, scoring)
        used = {p.reference: p for protocols in earlier.values() for p in protocols}
        for protocol in current:
            if used.get(protocol.reference, protocol) != protocol:
                raise WrongProtocolError(
                    f"{protocol.name} {protocol.version} was used before with other contents; give it a new version"
                )
        body = orjson.dumps([protocol.model_dump(mode="json") for protocol in current])
        await tx.connection.execute(REGISTER, library.edition, body)
    return library


async def _read_editions(connection: "Connection") -> dict[str, tuple[Protocol, ...]]:
    rows = await connection.fetch(EDITIONS)
    return {
        row["edition"]: tuple(Protocol.model_validate(entry) for entry in orjson.loads(row["protocols"]))
        for row in rows
    }

"""The SQL of stays that are another patient's."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import orjson

from services.intake.chart import Stay

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

REPARENT_STAYS = """
UPDATE encounter e SET patient_id = t.patient_id, version = t.version, announced = t.announced, updated_at = now()
FROM jsonb_to_recordset($1) AS t (id uuid, patient_id text, version integer, announced jsonb)
WHERE e.id = t.id
"""


async def reparent_stays(connection: "Connection", stays: Sequence[Stay]) -> None:
    rows = [
        {
            "id": stay.identity.id,
            "patient_id": stay.patient_id,
            "version": stay.version,
            "announced": stay.announced,
        }
        for stay in stays
    ]
    if rows:
        await connection.execute(REPARENT_STAYS, orjson.dumps(rows))

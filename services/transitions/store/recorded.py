"""SQL of recorded stays, read patient by patient."""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

PATIENTS_SINCE = """
SELECT DISTINCT patient_id FROM transition
WHERE patient_id > $2 AND coalesce(discharged_at, admitted_at, changed_at) >= $1 ORDER BY patient_id LIMIT $3
"""


async def patients_since(connection: "Connection", since: datetime, after: str, limit: int) -> list[str]:
    """Patients with a stay since then, in the order of their ids."""
    return [row["patient_id"] for row in await connection.fetch(PATIENTS_SINCE, since, after, limit)]

"""All SQL of remote monitoring. Callers hold the locks of the patients concerned."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from services.transitions.monitoring.alert import Alert, Watched
from services.transitions.monitoring.reading import Quality, Reading
from services.transitions.monitoring.rules import Severity, Watch
from services.transitions.rounds import Aside

if TYPE_CHECKING:
    from shared.postgres.transaction import Connection

# While the patient lies in a hospital, others watch: readings are kept and alert to nothing.
LOAD = """
SELECT m.id, m.patient_id, m.transition_id, m.facility, m.time_zone, m.signals, m.variant, m.limits::text AS limits,
       m.since, m.missing_at, m.version, t.encounter_id,
       EXISTS (SELECT FROM transition h WHERE h.patient_id = m.patient_id AND h.standing = 'in-hospital') AS is_paused
FROM monitoring m JOIN transition t ON t.id = m.transition_id
WHERE m.ended_at IS NULL AND (m.patient_id = ANY ($1) OR m.id = ANY ($2))
"""
SAVE = """
INSERT INTO monitoring (id, patient_id, transition_id, facility, time_zone, signals, variant, limits, since, version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (transition_id) DO UPDATE SET signals = excluded.signals, variant = excluded.variant,
    limits = excluded.limits, ended_at = NULL, version = excluded.version
"""
END = "UPDATE monitoring SET ended_at = $2, missing_at = NULL WHERE transition_id = $1 AND ended_at IS NULL"
VERSION = "SELECT id, version, since FROM monitoring WHERE transition_id = $1"
SET_MISSING = "UPDATE monitoring SET missing_at = $2 WHERE id = $1 AND missing_at IS DISTINCT FROM $2"
# A word of a measurement that is older than the one known changes nothing.
KEEP = """
INSERT INTO reading AS r (id, patient_id, signal, at, value, quality, said, unit, event_id, known_at)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::numeric[], $6::text[], $7::text[],
    $8::text[], $9::uuid[], $10::timestamptz[])
ON CONFLICT (id) DO UPDATE SET at = excluded.at, value = excluded.value, quality = excluded.quality,
    said = excluded.said, unit = excluded.unit, event_id = excluded.event_id, known_at = excluded.known_at
WHERE r.known_at <= excluded.known_at
"""
READINGS = """
SELECT id, patient_id, signal, at, value, quality, said, unit, event_id, known_at FROM reading
WHERE patient_id = $1 AND signal = ANY ($2) AND at >= $3 ORDER BY at, id
"""
LATEST = """
SELECT signal, max(at) AS at FROM reading WHERE patient_id = $1 AND quality <> 'withdrawn' GROUP BY signal
"""
ALERTS = """
SELECT a.id, a.monitoring_id, a.patient_id, a.facility, a.signal, a.rule, a.severity, a.reading_id, a.text, a.raised_at,
       coalesce(a.acknowledged_at, CASE WHEN k.status = 'completed' THEN k.settled_at END) AS acknowledged_at,
       coalesce(a.acknowledged_by, CASE WHEN k.status = 'completed' THEN k.owner END) AS acknowledged_by,
       a.withdrawn_at, a.withdrawn_because, a.task_id, a.telehealth
FROM alert a LEFT JOIN task k ON k.id = a.task_id
"""
ALERTS_OF = f"{ALERTS} WHERE a.monitoring_id = $1 AND (a.raised_at >= $2 OR a.acknowledged_at IS NULL)"
ALERT = f"{ALERTS} WHERE a.id = $1"
LISTED = f"""{ALERTS}
WHERE ($1::text IS NULL OR a.patient_id = $1) AND (cardinality($2::text[]) = 0 OR a.facility = ANY ($2))
  AND ($3::text IS NULL OR EXISTS (
    SELECT FROM monitoring m JOIN transition t ON t.id = m.transition_id
    WHERE m.id = a.monitoring_id AND t.body ->> 'pcp_organisation' = $3))
  AND (NOT $4::bool OR (a.withdrawn_at IS NULL AND a.acknowledged_at IS NULL AND k.status IS DISTINCT FROM 'completed'))
  AND a.severity >= $5 AND ($6::timestamptz IS NULL OR (a.raised_at, a.id) < ($6, $7))
ORDER BY a.raised_at DESC, a.id DESC LIMIT $8
"""
SAVE_ALERT = """
INSERT INTO alert (id, monitoring_id, patient_id, facility, signal, rule, severity, reading_id, text, raised_at,
    acknowledged_at, acknowledged_by, withdrawn_at, withdrawn_because, task_id, telehealth)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT (id) DO UPDATE SET acknowledged_at = excluded.acknowledged_at, withdrawn_at = excluded.withdrawn_at,
    acknowledged_by = excluded.acknowledged_by, withdrawn_because = excluded.withdrawn_because,
    task_id = excluded.task_id
"""
DOUBTFUL = """
SELECT r.id, r.patient_id, r.signal, r.at, r.quality, r.said, r.unit FROM reading r
WHERE r.quality IN ('implausible', 'unit-unknown', 'no-number') AND EXISTS (
    SELECT FROM monitoring m JOIN transition t ON t.id = m.transition_id
    WHERE m.patient_id = r.patient_id AND (cardinality($1::text[]) = 0 OR m.facility = ANY ($1))
      AND ($2::text IS NULL OR t.body ->> 'pcp_organisation' = $2))
ORDER BY r.known_at DESC LIMIT $3
"""
ORGANISATION = """
SELECT t.body ->> 'pcp_organisation' FROM monitoring m JOIN transition t ON t.id = m.transition_id WHERE m.id = $1
"""
SILENT = """
SELECT id, patient_id FROM monitoring
WHERE ended_at IS NULL AND missing_at <= statement_timestamp() AND id <> ALL ($2)
ORDER BY missing_at, id LIMIT $1
"""
REKEY = """
WITH merged AS (SELECT * FROM unnest($1::text[], $2::text[]) AS m (retired, survivor)),
monitoring_ AS (UPDATE monitoring t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired),
reading_ AS (UPDATE reading t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired),
alert_ AS (UPDATE alert t SET patient_id = m.survivor FROM merged m WHERE t.patient_id = m.retired)
SELECT
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitoring:
    """A patient who is watched after a stay. `is_paused`: in a hospital now, where others watch."""

    id: UUID
    patient_id: str
    transition_id: UUID
    encounter_id: UUID
    facility: str
    time_zone: str
    signals: tuple[str, ...]
    variant: str | None
    limits: dict[str, Watch]
    since: datetime
    missing_at: datetime | None = None
    version: int = 1
    is_paused: bool = False

    def is_watched_as(self, other: "Monitoring") -> bool:
        """Whether the same is watched in the same way."""
        return (self.signals, self.variant, self.limits) == (other.signals, other.variant, other.limits)

    @property
    def watched(self) -> Watched:
        return Watched(self.id, self.patient_id, self.facility, self.since)


async def load(connection: "Connection", patients: Collection[str], ids: Collection[UUID] = ()) -> list[Monitoring]:
    return [_monitoring(row) for row in await connection.fetch(LOAD, list(patients), list(ids))]


def _monitoring(row: Any) -> Monitoring:
    told = dict(row)
    limits = {name: Watch.model_validate(own) for name, own in orjson.loads(told.pop("limits")).items()}
    return Monitoring(**told | {"limits": limits, "signals": tuple(told["signals"])})


async def save(connection: "Connection", m: Monitoring) -> None:
    limits = {name: watch.model_dump(mode="json") for name, watch in m.limits.items()}
    await connection.execute(
        SAVE,
        *(m.id, m.patient_id, m.transition_id, m.facility, m.time_zone, list(m.signals), m.variant, limits),
        *(m.since, m.version),
    )


async def standing(connection: "Connection", transition_id: UUID) -> Any | None:
    """Id, version and beginning of the transition's monitoring, ended or not."""
    return await connection.fetchrow(VERSION, transition_id)


async def end(connection: "Connection", transition_id: UUID, at: datetime) -> bool:
    return str(await connection.execute(END, transition_id, at)) == "UPDATE 1"


async def set_missing(connection: "Connection", monitoring_id: UUID, at: datetime | None) -> None:
    await connection.execute(SET_MISSING, monitoring_id, at)


async def keep(connection: "Connection", readings: Sequence[Reading]) -> None:
    newest = {reading.id: reading for reading in sorted(readings, key=lambda r: r.known_at)}
    await connection.execute(KEEP, *_columns(_row(reading) for reading in newest.values()))


def _row(r: Reading) -> tuple[Any, ...]:
    return (r.id, r.patient_id, r.signal, r.at, r.value, r.quality.value, r.said, r.unit, r.event_id, r.known_at)


async def readings(connection: "Connection", patient: str, signals: Collection[str], since: datetime) -> list[Reading]:
    rows = await connection.fetch(READINGS, patient, list(signals), since)
    return [Reading(**dict(row) | {"quality": Quality(row["quality"])}) for row in rows]


async def latest(connection: "Connection", patient: str) -> dict[str, datetime]:
    """When each signal was last measured."""
    return {row["signal"]: row["at"] for row in await connection.fetch(LATEST, patient)}


async def alerts_of(connection: "Connection", monitoring_id: UUID, since: datetime) -> list[Alert]:
    return [_alert(row) for row in await connection.fetch(ALERTS_OF, monitoring_id, since)]


async def alert(connection: "Connection", alert_id: UUID) -> Alert | None:
    row = await connection.fetchrow(ALERT, alert_id)
    return _alert(row) if row else None


def _alert(row: Any) -> Alert:
    return Alert(**dict(row) | {"severity": Severity(row["severity"])})


async def listed(connection: "Connection", *wanted: Any) -> list[Alert]:
    """patient, facilities and organisation of the caller, open only, least severity, place (time, id), limit; newest
    first.
    """
    return [_alert(row) for row in await connection.fetch(LISTED, *wanted)]


async def save_alerts(connection: "Connection", changed: Iterable[Alert]) -> None:
    rows = [
        (
            *(a.id, a.monitoring_id, a.patient_id, a.facility, a.signal, a.rule, int(a.severity), a.reading_id, a.text),
            *(a.raised_at, a.acknowledged_at, a.acknowledged_by, a.withdrawn_at, a.withdrawn_because, a.task_id),
            a.telehealth,
        )
        for a in changed
    ]
    if rows:
        await connection.executemany(SAVE_ALERT, rows)


async def organisation_of(connection: "Connection", monitoring_id: UUID) -> str | None:
    """The organisation that is told of the patient's stay as primary care's."""
    found: str | None = await connection.fetchval(ORGANISATION, monitoring_id)
    return found


async def doubtful(
    connection: "Connection", facilities: Sequence[str], organisation: str | None, limit: int
) -> list[dict[str, Any]]:
    """Readings that could not be judged, newest first."""
    return [dict(row) for row in await connection.fetch(DOUBTFUL, list(facilities), organisation, limit)]


async def silent(connection: "Connection", limit: int, aside: Aside = ()) -> dict[UUID, str]:
    """Monitorings with a signal that has been silent for too long, but for those `aside`, and whose they are."""
    return {row["id"]: row["patient_id"] for row in await connection.fetch(SILENT, limit, list(aside))}


async def rekey(connection: "Connection", merged: Mapping[str, str]) -> None:
    """What is kept of retired patients (keys) stands under the survivors (values)."""
    await connection.execute(REKEY, list(merged), list(merged.values()))


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]

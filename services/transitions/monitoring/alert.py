"""Which findings must become alerts, and which alerts no longer stand. Pure.

Repeats are suppressed until somebody acknowledged the alert, or the severity rises. A corrected or withdrawn reading
takes its alert back; one that is of another severity after its correction is alerted to anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from services.transitions.monitoring.reading import Finding, Quality, Reading
from services.transitions.monitoring.rules import Severity

MISSING = "missing-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """`acknowledged_at` is also when its task was done; `telehealth`: a visit by video is to be offered."""

    id: UUID
    monitoring_id: UUID
    patient_id: str
    facility: str
    signal: str
    rule: str
    severity: Severity
    reading_id: UUID | None
    text: str
    raised_at: datetime
    telehealth: bool = False
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    withdrawn_at: datetime | None = None
    withdrawn_because: str | None = None
    task_id: UUID | None = None

    @property
    def stands(self) -> bool:
        return self.withdrawn_at is None

    @property
    def is_open(self) -> bool:
        return self.stands and self.acknowledged_at is None

    def told(self) -> dict[str, Any]:
        """As the API answers it."""
        return asdict(self) | {"severity": self.severity.name.lower()}


@dataclass(frozen=True, slots=True)
class Watched:
    """For whom alerts are raised: the monitoring, its patient and facility, since when."""

    monitoring_id: UUID
    patient_id: str
    facility: str
    since: datetime


def weigh(
    watched: Watched,
    readings: Iterable[Reading],
    found: Mapping[UUID, Finding],
    known: Iterable[Alert],
    now: datetime,
    patience: timedelta = timedelta(),
) -> list[Alert]:
    """The alerts of one signal as they must stand: those known, withdrawn where their reading shows nothing now, and
    new ones. `patience`: how long it may be silent.
    """
    judged = {reading.id: reading for reading in readings}
    alerts = [_settle(alert, judged, found, now, patience) for alert in known]
    for reading in sorted(judged.values(), key=lambda r: (r.at, r.id)):
        finding = found.get(reading.id)
        is_told = any(alert.reading_id == reading.id and alert.stands for alert in alerts)
        if finding is None or is_told or reading.at < watched.since:
            continue
        if not any(_covers(alert, reading, finding) for alert in alerts):
            alerts.append(_raise(watched, reading, finding, now, sum(a.reading_id == reading.id for a in alerts)))
    return alerts


def _settle(
    alert: Alert,
    judged: Mapping[UUID, Reading],
    found: Mapping[UUID, Finding],
    now: datetime,
    patience: timedelta,
) -> Alert:
    if not alert.stands:
        return alert
    if alert.rule == MISSING:
        # A device may have measured in time and been heard of late.
        silent = alert.raised_at - patience
        came = any(r.quality is not Quality.WITHDRAWN and r.at > silent for r in judged.values())
        return _withdraw(alert, "readings came", now) if came and alert.is_open else alert
    reading = judged.get(alert.reading_id) if alert.reading_id else None
    if reading is None or _still_shows(alert, found.get(reading.id)):
        return alert
    because = "the reading was withdrawn" if reading.quality is Quality.WITHDRAWN else "the reading was corrected"
    return _withdraw(alert, because, now)


def _still_shows(alert: Alert, finding: Finding | None) -> bool:
    """Whether the reading is still as severe as was told; once answered, less is answered too."""
    if finding is None:
        return False
    return finding.severity == alert.severity or (
        alert.acknowledged_at is not None and finding.severity < alert.severity
    )


def _withdraw(alert: Alert, because: str, now: datetime) -> Alert:
    return replace(alert, withdrawn_at=now, withdrawn_because=because)


def _covers(alert: Alert, reading: Reading, finding: Finding) -> bool:
    """Whether the alert makes another one superfluous: nobody answered it yet, and this is no worse."""
    if not alert.stands or alert.rule == MISSING or alert.severity < finding.severity:
        return False
    return alert.acknowledged_at is None or reading.known_at <= alert.acknowledged_at


def _raise(watched: Watched, reading: Reading, finding: Finding, now: datetime, times: int) -> Alert:
    return Alert(
        id=uuid5(watched.monitoring_id, f"{reading.id}/{times}"),
        monitoring_id=watched.monitoring_id,
        patient_id=watched.patient_id,
        facility=watched.facility,
        signal=reading.signal,
        rule=finding.rule,
        severity=finding.severity,
        reading_id=reading.id,
        text=finding.text,
        raised_at=now,
        telehealth=finding.telehealth,
    )


def missing(watched: Watched, signal: str, title: str, hours: int, silent_since: datetime, now: datetime) -> Alert:
    return Alert(
        id=uuid5(watched.monitoring_id, f"{MISSING}/{signal}/{silent_since.isoformat()}"),
        monitoring_id=watched.monitoring_id,
        patient_id=watched.patient_id,
        facility=watched.facility,
        signal=signal,
        rule=MISSING,
        severity=Severity.ADVISORY,
        reading_id=None,
        text=f"{title}: no reading for {hours} hours",
        raised_at=now,
    )

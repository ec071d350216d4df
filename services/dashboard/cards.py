"""What a transition or a task looks like on the board: pure view models of the read tables' rows."""

from dataclasses import dataclass
from datetime import datetime

from services.dashboard.clocks import Clock, Urgency, ago, clock_of, local
from services.dashboard.keyset import written, written_rank
from services.dashboard.risk import Chip, chip_of
from services.dashboard.row import Row
from services.dashboard.sight import Who
from services.dashboard.summaries import CLASSES


@dataclass(frozen=True, slots=True)
class Stage:
    """A column of the board."""

    key: str
    title: str
    explained: str
    statuses: tuple[str, ...]


STAGES = (
    Stage("open", "In hospital", "The stay goes on", ("open",)),
    Stage("following", "Discharged, following", "Tasks run against their clocks", ("following",)),
    Stage("on-hold", "On hold", "The discharge was taken back", ("on-hold",)),
    Stage("closed", "Closed recently", "Closed or revoked within seven days", ("closed", "revoked")),
)
STAGE = {stage.key: stage for stage in STAGES}
STATUS_WORDS = {
    "open": "In hospital",
    "following": "Following",
    "on-hold": "On hold",
    "closed": "Closed",
    "revoked": "Revoked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One transition on the board. `clock` is that of the next open task; `since` says how long it has stood so."""

    key: str
    who: Who
    status: str
    clock: Clock
    next_task: str | None
    next_role: str | None
    done: int
    total: int
    escalation: int
    place: str
    facility: str
    class_words: str
    since: str
    diagnosis: str | None
    readmission_days: int | None
    risk: Chip | None


def card_of(row: Row, who: Who, now: datetime) -> Card:
    at_rest = row["status"] in {"closed", "revoked", "on-hold"}
    return Card(
        key=str(row["id"]),
        who=who,
        status=row["status"],
        clock=clock_of(None if at_rest else row["next_due_at"], now),
        next_task=None if at_rest else row["next_task"],
        next_role=row["next_role"],
        done=row["done_tasks"],
        total=row["open_tasks"] + row["done_tasks"],
        escalation=0 if at_rest else row["escalation_level"],
        place=" · ".join(part for part in (row["ward"], row["room"], row["bed"]) if part),
        facility=row["facility_name"] or row["facility"],
        class_words=CLASSES.get(row["encounter_class"], "other"),
        since=_since(row, now),
        diagnosis=next(iter(row["diagnoses"]), None) if not who.masked else None,
        readmission_days=row["readmission_days"],
        risk=chip_of(row["risk"], row["scores"]),
    )


def _since(row: Row, now: datetime) -> str:
    match row["status"]:
        case "open":
            return f"admitted {ago(row['admitted_at'], now)}" if row["admitted_at"] else "admission time unknown"
        case "following":
            return f"discharged {ago(row['discharged_at'] or row['status_at'], now)}"
        case status:
            return f"{STATUS_WORDS[status].lower()} {ago(row['status_at'], now)}"


UNSCORED = 2
"""The place of who has no score, between high risk (1) and low (3)."""


def place_of(row: Row) -> str:
    """Where the next page of this card's column begins."""
    if row["status"] in {"closed", "revoked"}:
        return written((row["status_at"], row["id"]))
    priority = UNSCORED if row["risk_priority"] is None else row["risk_priority"]
    return written_rank((row["escalation_level"], row["rank_at"], priority, row["id"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """One task as a list shows it. `version` goes back with an action, so that a stale click is refused."""

    id: str
    version: int
    title: str
    role: str
    owner: str | None
    status: str
    clock: Clock
    due: str
    explained: str | None
    protocol: str
    escalation: int
    outcome: str | None
    told_by: str
    evidence: str | None
    closure: str | None = None
    acknowledged_by: str | None = None
    rests: str | None = None
    """Until when its ladder rests, while it does."""

    @property
    def is_open(self) -> bool:
        return self.status in {"requested", "accepted"}

    @property
    def is_told(self) -> bool:
        """Whether somebody was told that it is late: what may be acknowledged."""
        return self.is_open and (self.escalation > 0 or self.clock.urgency is Urgency.OVERDUE)


def task_line(row: Row, time_zone: str, now: datetime, *, free_text: bool) -> TaskLine:
    """`free_text`: whether the reader may see what people typed, which may name somebody."""
    is_open = row["status"] in {"requested", "accepted"}
    rests = row["rests_until"] if is_open else None
    return TaskLine(
        id=str(row["id"]),
        version=row["version"],
        title=row["title"],
        role=row["owner_role"],
        owner=row["owner"],
        status=row["status"],
        clock=clock_of(row["due_at"] if is_open else None, now),
        due=local(row["due_at"], time_zone),
        explained=row["due_explained"],
        protocol=row["protocol"],
        escalation=row["escalation_level"],
        outcome=row["outcome"] or row["reason"] if free_text else None,
        told_by=str(row["told_by"]),
        evidence=str(row["evidence_event_id"]) if row["evidence_event_id"] else None,
        closure=row["closure"],
        acknowledged_by=row["acknowledged_by"],
        rests=local(rests, time_zone) if rests is not None and rests > now else None,
    )

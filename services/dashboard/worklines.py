"""Lines of a worklist as the transitions service answers them, made into what a page shows. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.dashboard.cards import TaskLine, task_line

VIEWS = (
    ("my-role", "My role", "what care managers owe"),
    ("mine", "Claimed by me", "what you have taken on"),
    ("my-organisation", "My organisation", "patients whose primary care is yours"),
    ("overdue", "Overdue", "their due time has passed"),
    ("due-today", "Due today", "by each facility's own date"),
    ("escalated", "Escalated", "somebody further up was told"),
    ("unassigned", "Unassigned", "nobody has claimed them"),
    ("all", "All open", "every task whose clock runs"),
)
VIEW = {key: (title, explained) for key, title, explained in VIEWS}


@dataclass(frozen=True, slots=True)
class WorkLine:
    """One task of a list, whose and where."""

    task: TaskLine
    patient_id: str
    transition_id: str
    facility: str

    @property
    def mark(self) -> str:
        """What ticking it sends: which task, seen at which version."""
        return f"{self.task.id}:{self.task.version}"


def work_line(item: Mapping[str, Any], now: datetime) -> WorkLine:
    task, transition = item["task"], item["transition"]
    facility = transition["facility"]
    row = {
        **task,
        "due_at": instant(task.get("due_at")),
        "rests_until": instant(task.get("rests_until")),
        "protocol": f"{task['protocol']['name']}@{task['protocol']['version']}",
        "reason": None,
        "told_by": "",
    }
    return WorkLine(
        task=task_line(row, facility["time_zone"], now, free_text=True),
        patient_id=transition["patient"]["id"],
        transition_id=transition["id"],
        facility=facility.get("name") or facility["code"],
    )


def instant(text: str | None) -> datetime | None:
    """An instant as JSON carries it."""
    return datetime.fromisoformat(text) if text else None

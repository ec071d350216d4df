"""care.followups.v1, from transitions: what remote monitoring alerted to, and what came of it."""

from datetime import datetime
from uuid import UUID

from shared.events.fact import Fact
from shared.events.followups import FollowUpFact


class AlertFact(FollowUpFact):
    """`followup_id` is the alert's own. `severity` is information, advisory or urgent; `text` says what was measured.

    `task_id` is the task that answers it; `proposes_visit`, that a telehealth visit is to be offered.
    """

    signal: str
    rule: str
    severity: str
    text: str
    raised_at: datetime
    task_id: UUID | None = None
    proposes_visit: bool = False
    reason: str | None = None


class AlertRaised(AlertFact):
    TYPE = "care.monitoring.alert-raised.v1"


class AlertAcknowledged(AlertFact):
    TYPE = "care.monitoring.alert-acknowledged.v1"


class AlertWithdrawn(AlertFact):
    """Its reading was corrected or withdrawn, or the silence is over (`reason`)."""

    TYPE = "care.monitoring.alert-withdrawn.v1"


MONITORING_FACTS: tuple[type[Fact], ...] = (AlertRaised, AlertAcknowledged, AlertWithdrawn)

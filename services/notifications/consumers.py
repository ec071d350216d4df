"""What notifications hears."""

from collections.abc import Collection, Mapping
from datetime import timedelta

from services.notifications import coordination
from services.notifications.announcing import LATE_AFTER
from services.notifications.queueing import Queueing, Wake
from services.notifications.signals import hear_signals
from shared.events import FACTS, Topic
from shared.events.transitions import TaskEscalated, TaskOverdue
from shared.kafka import Handler

# What is said of transitions is a notice only where a task is late.
HEARD: Mapping[Topic, Collection[str]] = {
    Topic.TRANSITIONS: [fact.TYPE for fact in FACTS if issubclass(fact, TaskOverdue | TaskEscalated)],
    **dict.fromkeys((Topic.REFERRALS, Topic.FOLLOWUPS, Topic.PLANS), coordination.HEARD),
}


def handlers(wake: Wake, late_after: timedelta = LATE_AFTER) -> Mapping[Topic, Handler]:
    queueing = Queueing(wake, late_after)
    told = (Topic.ENCOUNTERS, Topic.REFERRALS, Topic.FOLLOWUPS, Topic.TRANSITIONS, Topic.PLANS)
    return {**dict.fromkeys(told, queueing.hear), Topic.SIGNALS: hear_signals}

"""What notifications hears."""

from collections.abc import Mapping

from services.notifications.queueing import Queueing, Wake
from services.notifications.signals import hear_signals
from shared.events import Topic
from shared.kafka import Handler


def handlers(wake: Wake) -> Mapping[Topic, Handler]:
    queueing = Queueing(wake)
    return {Topic.ENCOUNTERS: queueing.hear, Topic.TRANSITIONS: queueing.hear, Topic.SIGNALS: hear_signals}

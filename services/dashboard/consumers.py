"""What the console hears: everything but requests to republish, each batch into the read tables."""

from services.dashboard.projecting import project
from shared.events import Topic
from shared.kafka import Handler

HANDLERS: dict[Topic, Handler] = {topic: project for topic in Topic if topic is not Topic.REPUBLISH}

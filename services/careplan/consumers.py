"""What careplan hears."""

from collections.abc import Mapping

from services.careplan.catalogue import Catalogue
from services.careplan.following import Following
from shared.events import Topic
from shared.kafka import Handler


def handlers(catalogue: Catalogue) -> Mapping[Topic, Handler]:
    return {Topic.TRANSITIONS: Following(catalogue)}

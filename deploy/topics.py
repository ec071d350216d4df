"""The topics the stack needs, created before anyone speaks: the contract's, faust's own, one per provider."""

import importlib
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError

from shared.events import PARTITIONS, Topic
from shared.kafka import KafkaSettings

SIGNALS_TOPICS = "services.transitions.signals.topics"
# A changelog keeps the newest value of each key for good; small segments, so that it is compacted within the hour.
COMPACTED = (("cleanup.policy", "compact"), ("segment.ms", "3600000"), ("max.compaction.lag.ms", "3600000"))


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic to be: name, partitions, copies, and Kafka's own options."""

    name: str
    partitions: int = PARTITIONS
    replication: int = 1
    options: tuple[tuple[str, str], ...] = (("retention.ms", str(14 * 86_400_000)),)

    def request(self) -> NewTopic:
        return NewTopic(
            name=self.name,
            num_partitions=self.partitions,
            replication_factor=self.replication,
            topic_configs=dict(self.options),
        )


def provider_topic(organisation: str) -> str:
    """The topic that holds exactly what one organisation may see: one partition, since its order is its own."""
    return f"care.provider.{organisation}.v1"


def listening_organisations(roster: Path) -> list[str]:
    """Organisations whose roster entry asks for a topic of their own."""
    if not roster.exists():
        return []
    listed = yaml.safe_load(roster.read_text(encoding="utf-8")) or {}
    return [str(one["slug"]) for one in listed.get("organisations", []) if one.get("kafka")]


def planned(organisations: Iterable[str] = (), replication: int = 1, partitions: int = PARTITIONS) -> list[TopicPlan]:
    """Every topic of the stack, in a stable order. `partitions`: of the contract's own topics."""
    return [
        *(TopicPlan(topic.value, partitions, replication) for topic in Topic),
        *(TopicPlan(name, partitions, replication, COMPACTED) for name, partitions in _internal_topics()),
        *(TopicPlan(provider_topic(one), 1, replication) for one in sorted(set(organisations))),
    ]


def _internal_topics() -> list[tuple[str, int]]:
    """Changelogs and the like of the live signals; they must exist before faust starts."""
    if importlib.util.find_spec("services.transitions.signals") is None:
        return []
    if importlib.util.find_spec(SIGNALS_TOPICS) is None:
        return []
    return [(str(name), int(count)) for name, count in importlib.import_module(SIGNALS_TOPICS).internal_topics()]


async def create_topics(
    kafka: KafkaSettings, organisations: Iterable[str] = (), replication: int = 1, partitions: int = PARTITIONS
) -> list[str]:
    """Create what is missing; the names created. Safe to repeat: a topic that is there keeps its partitions."""
    admin = AIOKafkaAdminClient(**kafka.client_arguments())
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [plan for plan in planned(organisations, replication, partitions) if plan.name not in there]
        if missing:
            _raise_failures(await admin.create_topics([plan.request() for plan in missing]))
        return [plan.name for plan in missing]
    finally:
        await admin.close()


def _raise_failures(answer: object) -> None:
    """The admin client answers with an error code per topic and does not raise by itself."""
    for failure in getattr(answer, "topic_errors", ()):
        name, code = failure[0], failure[1]
        if code not in (0, TopicAlreadyExistsError.errno):
            raise RuntimeError(f"topic {name} could not be created: Kafka error {code}")

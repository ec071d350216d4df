"""Apache Kafka (KRaft, one node) from its Maven artefact, run by Java 17 without further packaging."""

from deploy.local.apache.node import ApacheKafka, ApacheKafkaError

__all__ = ["ApacheKafka", "ApacheKafkaError"]

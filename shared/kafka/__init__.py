"""Between PostgreSQL and Kafka: the one consumer loop, the one producer (the relay), parking, positions, republish."""

from shared.kafka.applying import Handler
from shared.kafka.consumer import Consumer
from shared.kafka.relay import Relay
from shared.kafka.settings import KafkaSettings
from shared.kafka.stages import staged

__all__ = ["Consumer", "Handler", "KafkaSettings", "Relay", "staged"]

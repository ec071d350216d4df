from shared.kafka.settings import KafkaSettings

__all__ = ["KafkaSettings"]

"""The value of an event: a frozen pydantic model that knows its own type and topic.

A fact is the JSON value of one Kafka record. What every fact has in common (who, when, caused by what) is not in it
but in the record's headers: see `shared.events.envelope`.
"""

from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Topic(StrEnum):
    """Topics of the published contract; each has 12 partitions (fixed: changing the number would break key order)."""

    ENCOUNTERS = "care.encounters.v1"
    REFERRALS = "care.referrals.v1"
    FOLLOWUPS = "care.followups.v1"
    TRANSITIONS = "care.transitions.v1"
    PLANS = "care.plans.v1"
    NOTIFICATIONS = "care.notifications.v1"
    FEEDS = "care.feeds.v1"
    SIGNALS = "care.signals.v1"
    REPUBLISH = "care.republish.v1"


PARTITIONS = 12


class Part(BaseModel):
    """A value inside a fact. Unknown fields are ignored, so that an old reader understands a newer writer."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Fact(Part):
    """Something that happened, in the past tense. Subclasses set TYPE and TOPIC and are listed in the registry."""

    TYPE: ClassVar[str]
    TOPIC: ClassVar[Topic]

    def concerns(self) -> tuple[str, ...]:
        """Patients beside the subject whose rows an effect may touch; they are locked together, in id order."""
        return ()


class Unheard(Fact):
    """In place of the value of an event that its reader has no use for: it only moves the reader's place."""


UNHEARD = Unheard()

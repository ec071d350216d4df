"""What a message says of one appointment, observation, document or referral: what every channel hands to the rules.

A reader of any format (HL7 v2, FHIR, JSON) makes statements; `standing` says what follows from them. Corrections and
cancels of the same thing carry the same identifier, so they meet, in whatever order they come.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID, uuid5

from services.intake.message import OrderKey, Said
from shared.events.people import Identifier

_NAMESPACE = UUID("6f1f6c0a-5b0e-5f64-9d0b-2c9a5a8f9b11")


class About(StrEnum):
    APPOINTMENT = "appointment"
    OBSERVATION = "observation"
    DOCUMENT = "document"
    REFERRAL = "referral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """`order` is its place among all statements of the same thing (never by arrival); `occurred` is when it happened.

    `said` holds the fields that `standing` describes, by name: a missing one is "no change", None deletes. `status` is
    one of the kind's own.
    """

    about: About
    identifier: Identifier
    order: OrderKey
    occurred: datetime
    said: Said

    def id_on(self, feed: str) -> UUID:
        """The same for every statement of the thing on a feed: `followup_id` or `referral_id` of its events."""
        one = self.identifier
        return uuid5(_NAMESPACE, f"{feed}\x1f{self.about}\x1f{one.authority}\x1f{one.type}\x1f{one.value}")

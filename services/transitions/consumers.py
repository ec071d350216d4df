"""What transitions hears. Its own followups are not evidence a second time: they took effect when they were said."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from services.transitions.protocols import Library
from services.transitions.tracking import track_encounters, weigh_evidence
from shared.events import AnyEvent, Topic
from shared.kafka import Handler
from shared.postgres import Transaction

Tracking = Callable[[Transaction, Library, Sequence[AnyEvent]], Awaitable[None]]


def handlers(library: Library) -> Mapping[Topic, Handler]:
    evidence = _knowing(library, weigh_evidence)
    return {
        Topic.ENCOUNTERS: _knowing(library, track_encounters),
        Topic.FOLLOWUPS: evidence,
        Topic.REFERRALS: evidence,
        Topic.NOTIFICATIONS: evidence,
        Topic.PLANS: evidence,
    }


def _knowing(library: Library, track: Tracking) -> Handler:
    async def handle(tx: Transaction, events: Sequence[AnyEvent]) -> None:
        await track(tx, library, events)

    return handle

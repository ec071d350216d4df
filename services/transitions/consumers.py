"""What transitions hears. Its own followups are not evidence a second time: they took effect when they were said."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from services.transitions.monitoring.rules import MonitoringRules
from services.transitions.monitoring.rules import read_rules as read_monitoring
from services.transitions.monitoring.watching import hear_observations
from services.transitions.protocols import Library
from services.transitions.quality.keeping import keep_deeds
from services.transitions.quality.measures import Measures, read_measures
from services.transitions.referrals.hearing import hear_referrals
from services.transitions.referrals.rules import LoopRules, read_rules
from services.transitions.risk.weighing import hear_laboratory
from services.transitions.tracking import track_encounters, weigh_evidence
from shared.events import AnyEvent, Topic
from shared.kafka import Handler
from shared.postgres import Transaction

EVIDENCE = (Topic.NOTIFICATIONS, Topic.PLANS)
"""Topics whose events are looked at only for what shows a task done."""

Tracking = Callable[[Transaction, Library, Sequence[AnyEvent]], Awaitable[None]]


def handlers(
    library: Library,
    rules: LoopRules | None = None,
    watch: MonitoringRules | None = None,
    measures: Measures | None = None,
) -> Mapping[Topic, Handler]:
    """Each topic's handler; `rules` are the referral loop's, `watch` the monitoring's, `measures` those of quality
    (else those shipped).
    """
    moving = _moving(rules or read_rules())
    watching = _watching(library, watch or read_monitoring())
    evidence = _knowing(library, weigh_evidence)
    keeping = _keeping(library, measures or read_measures())
    return {
        Topic.ENCOUNTERS: _each(_knowing(library, track_encounters), keeping),
        Topic.FOLLOWUPS: _each(evidence, keeping, moving, watching, _knowing(library, hear_laboratory)),
        Topic.REFERRALS: _each(evidence, moving),
        **dict.fromkeys(EVIDENCE, _each(evidence, keeping)),
    }


def _keeping(library: Library, measures: Measures) -> Handler:
    async def handle(tx: Transaction, events: Sequence[AnyEvent]) -> None:
        await keep_deeds(tx, measures, library, events)

    return handle


def _moving(rules: LoopRules) -> Handler:
    async def handle(tx: Transaction, events: Sequence[AnyEvent]) -> None:
        await hear_referrals(tx, rules, events)

    return handle


def _watching(library: Library, rules: MonitoringRules) -> Handler:
    async def handle(tx: Transaction, events: Sequence[AnyEvent]) -> None:
        await hear_observations(tx, library, rules, events)

    return handle


def _each(*heard_by: Handler) -> Handler:
    async def handle(tx: Transaction, events: Sequence[AnyEvent]) -> None:
        for hear in heard_by:
            await hear(tx, events)

    return handle


def _knowing(library: Library, track: Tracking) -> Handler:
    async def handle(tx: Transaction, events: Sequence[AnyEvent]) -> None:
        await track(tx, library, events)

    return handle

"""Puts transitions together: pool, consumer, relay, clock, routes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import FastAPI

from services.transitions.api import transitions_router
from services.transitions.calendars import read_calendars
from services.transitions.consumers import EVIDENCE, handlers
from services.transitions.editions import register_protocols
from services.transitions.monitoring.api import monitoring_router
from services.transitions.monitoring.rules import read_rules as read_monitoring
from services.transitions.monitoring.showing import showing_router
from services.transitions.monitoring.watching import watcher
from services.transitions.protocol_api import protocols_router
from services.transitions.protocols import read_protocols
from services.transitions.quality.api import quality_router
from services.transitions.quality.counter import Counter
from services.transitions.quality.measures import read_measures
from services.transitions.referrals.api import referrals_router
from services.transitions.referrals.rules import read_rules
from services.transitions.referrals.ticking import loop_keeper
from services.transitions.risk.api import risk_router
from services.transitions.risk.scoring import read_scoring
from services.transitions.risk.weighing import recounter
from services.transitions.settings import Settings
from services.transitions.signals.api import signals_router
from services.transitions.signals.thresholds import read_thresholds
from services.transitions.snapshots import tell_open_transitions
from services.transitions.store.retention import ENDED
from services.transitions.timing import Timekeeper
from services.transitions.worklist_api import worklist_router
from shared.http import create_app, operations_router
from shared.kafka import Consumer, Relay
from shared.postgres import Database, open_database
from shared.retention import Forgetting

SERVICE = "transitions"
# Small batches begin no closer together: deadlines are in hours, and nobody who must be told waits for this.
GATHER_S = 0.2


@dataclass(frozen=True, slots=True)
class Service:
    """What runs: the application, and beside it consumer, relay and clock. Whoever built it closes the database."""

    app: FastAPI
    database: Database
    background: tuple[Callable[[], Awaitable[None]], ...]


async def build(settings: Settings) -> Service:
    """Raises WrongProtocolError, WrongThresholdsError or WrongRiskRulesError when a file or a score can't be used,
    OSError when PostgreSQL is away.
    """
    rules = read_rules()
    protocols = read_protocols(settings.protocols, demo=settings.demo, programmes=settings.programmes)
    closed = read_calendars(settings.calendars)
    watch = read_monitoring()
    measures = read_measures(settings.measures, settings.protocols, settings.expected_rates)
    limits = read_thresholds(settings.signal_rules)
    scoring = read_scoring(settings.scores)
    database = await open_database(SERVICE, settings.postgres)
    library = await register_protocols(database, protocols, closed, scoring)
    consumer = Consumer(
        database=database,
        kafka=settings.kafka,
        name=SERVICE,
        hears=dict.fromkeys(EVIDENCE, library.heard | measures.heard),
        gather_s=GATHER_S,
        handlers=handlers(library, rules, watch, measures),
        instance=settings.instance,
    )
    forgetting = Forgetting.of(database, settings.retention, ENDED)
    loop = loop_keeper(database, rules)
    length = recounter(database, library)
    silence = watcher(database, library, watch)
    relay = Relay(database=database, kafka=settings.kafka, instance=settings.instance)
    clock = Timekeeper(database, library, batch=settings.timers_batch)
    counter = Counter(database, measures, share=settings.counting_share)
    operations = operations_router(database, consumer=consumer, relay=relay, snapshot=tell_open_transitions)
    routers = [
        transitions_router(database, library),
        worklist_router(database, library, rules),
        protocols_router(database, library),
        referrals_router(database, rules),
        monitoring_router(database, library, watch),
        showing_router(database, watch),
        risk_router(database, library),
        quality_router(database, measures),
        signals_router(database, limits),
        operations,
    ]
    app = create_app(SERVICE, database=database, settings=settings.http, routers=routers)
    clocks = (clock.run, loop.run, silence.run, length.run)
    background = (consumer.run, relay.run, *clocks, counter.run, forgetting.run)
    return Service(app, database, background)

"""The whole service but for its sockets: transitions' outbox, the broker, careplan's consumer, its outbox."""

from pathlib import Path

import services.careplan
from deploy.local.broker import EmbeddedBroker
from services.careplan.catalogue import read_catalogue
from services.careplan.consumers import handlers
from shared.events import Draft
from shared.events.transitions import TransitionsPatientMerged, TransitionStatus
from shared.kafka import Consumer, Relay
from shared.postgres import Database
from tests.integration.careplan.test_following import plans
from tests.support.databases import Databases
from tests.support.story import running, until
from tests.unit.careplan.stories import ADMITTED, Stay

CATALOGUE = read_catalogue(Path(services.careplan.__file__).parent / "templates")


def drafted(stay: Stay, *, statuses: tuple[TransitionStatus, ...]) -> list[Draft]:
    events = [stay.becomes(status) for status in statuses]
    return [Draft.answering(event, event.fact, correlation_id=event.correlation_id) for event in events]


async def tell(transitions: Database, *drafts: Draft) -> None:
    async with transitions.transaction() as tx:
        await tx.lock({draft.subject for draft in drafts})
        await tx.publish(drafts)


async def test_discharge_merge_and_closing_over_the_broker(databases: Databases, fresh_broker: EmbeddedBroker) -> None:
    transitions, careplan = await databases.open("transitions"), await databases.open("careplan")
    consumer = Consumer(database=careplan, kafka=fresh_broker.kafka, name="careplan", handlers=handlers(CATALOGUE))
    stay = Stay(patient="retired")
    await tell(transitions, *drafted(stay, statuses=(TransitionStatus.OPEN, TransitionStatus.FOLLOWING)))
    fact = TransitionsPatientMerged(retired="retired", survivor="survivor")
    first = Draft(fact=fact, subject="retired", time=ADMITTED, correlation_id="m", causation_id="a40")
    second = Draft(fact=fact, subject="survivor", time=ADMITTED, correlation_id="m", causation_id="a40", after=first)
    await tell(transitions, first, second)
    stay.patient = "survivor"
    await tell(transitions, *drafted(stay, statuses=(TransitionStatus.CLOSED,)))

    async def is_completed() -> bool:
        return [plan.status for plan in await plans(careplan, "survivor")] == ["completed"]

    async with running(Relay(database=transitions, kafka=fresh_broker.kafka).run, consumer.run):
        await until(is_completed, "the survivor's plan is completed", 60)
    said = await careplan.pool.fetch("SELECT type, subject FROM outbox ORDER BY id")
    told = [(row["type"], row["subject"]) for row in said]
    assert told.index(("care.plan.activated.v1", "retired")) < told.index(("care.plan.patient-merged.v1", "retired"))
    assert told[-1] == ("care.plan.completed.v1", "survivor")

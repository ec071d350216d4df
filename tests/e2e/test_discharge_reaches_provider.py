"""From the hospital's socket to the provider's webhook, through every service, as real processes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from deploy.operations import CallFailedError, Operations
from tests.support.receiver import Receiver
from tests.support.stack import StackDriver
from tests.support.stays import Stay
from tests.support.story import until

ADMITTED, DISCHARGED = "care.encounter.admitted.v1", "care.encounter.discharged.v1"
DISCHARGE_TAKEN_BACK = "care.encounter.discharge-cancelled.v1"
ADMISSION_TAKEN_BACK = "care.encounter.admission-cancelled.v1"

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("stack")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pcp(stack: StackDriver) -> AsyncIterator[Receiver]:
    """Lakeside Primary Care, which must know of its patients' stays."""
    async with Receiver("lakeside-primary-care") as receiver, stack.operations() as operations:
        await receiver.subscribe(operations)
        yield receiver


@pytest_asyncio.fixture(loop_scope="session")
async def services(stack: StackDriver) -> AsyncIterator[Operations]:
    async with stack.operations() as operations:
        yield operations


async def transition_of(services: Operations, stay: Stay) -> dict[str, Any] | None:
    """The transition of this stay, with its tasks, once it is there and the service answers."""
    try:
        for row in (await services.get("transitions", "/transitions", limit=200))["items"]:
            if row["transition"]["visit"]["value"] == stay.visit:
                found = await services.get("transitions", f"/transitions/{row['transition']['id']}")
                return {**found["transition"], "tasks": found["tasks"]}
    except CallFailedError:
        return None  # killed, and not back yet
    return None


async def in_status(services: Operations, stay: Stay, status: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        transition = await transition_of(services, stay)
        found[:] = [transition] if transition else []
        return transition is not None and transition["status"] == status

    await until(there, f"the transition is {status}", deadline_s=60)
    return found[0]


async def told(receiver: Receiver, event_type: str, stay: Stay) -> dict[str, Any]:
    async def came() -> bool:
        return bool(receiver.told(event_type, stay.visit))

    await until(came, f"{event_type} reaches {receiver.organisation}")
    (notice,) = receiver.told(event_type, stay.visit)
    return notice


async def test_a_discharge_reaches_the_provider_and_opens_tasks_and_a_plan(
    stack: StackDriver, services: Operations, pcp: Receiver
) -> None:
    stay = Stay()
    assert (await stack.send(stay.admit())).code == "AA"
    assert (await stack.send(stay.discharge())).code == "AA"
    await told(pcp, ADMITTED, stay)
    notice = await told(pcp, DISCHARGED, stay)
    assert "Testa" in str(notice["encounter"])
    transition = await in_status(services, stay, "following")
    codes = {task["code"] for task in transition["tasks"]}
    assert len(codes) >= 3
    assert all(task["due_at"] and task["owner_role"] for task in transition["tasks"] if task["status"] == "requested")

    async def planned() -> bool:
        plans = (await services.get("careplan", "/plans", transition=transition["id"]))["items"]
        return [plan["status"] for plan in plans] == ["active"]

    await until(planned, "a care plan is active")


async def test_a_duplicate_is_acknowledged_and_tells_nobody_again(stack: StackDriver, pcp: Receiver) -> None:
    stay = Stay()
    message = stay.admit()
    acks = [await stack.send(message) for _ in range(3)]
    assert {ack.code for ack in acks} == {"AA"}
    await told(pcp, ADMITTED, stay)
    await stack.send(stay.discharge())
    await told(pcp, DISCHARGED, stay)
    assert len(pcp.told(ADMITTED, stay.visit)) == 1


async def test_a_discharge_taken_back_retracts_the_notice_and_holds_the_tasks(
    stack: StackDriver, services: Operations, pcp: Receiver
) -> None:
    stay = Stay()
    for message in (stay.admit(), stay.discharge()):
        await stack.send(message)
    first = await told(pcp, DISCHARGED, stay)
    await in_status(services, stay, "following")
    await stack.send(stay.cancel_discharge())
    retraction = await told(pcp, DISCHARGE_TAKEN_BACK, stay)
    assert retraction["retracts"] == first["event_id"] or first["event_id"] in str(retraction["retracts"])
    transition = await in_status(services, stay, "on-hold")
    assert not [task for task in transition["tasks"] if task["status"] == "requested"]
    await stack.send(stay.discharge())
    await in_status(services, stay, "following")


async def test_a_cancelled_admission_revokes_everything(
    stack: StackDriver, services: Operations, pcp: Receiver
) -> None:
    stay = Stay()
    await stack.send(stay.admit())
    await told(pcp, ADMITTED, stay)
    await stack.send(stay.cancel_admission())
    await told(pcp, ADMISSION_TAKEN_BACK, stay)
    await in_status(services, stay, "revoked")


async def test_a_death_brings_no_follow_up(stack: StackDriver, services: Operations) -> None:
    stay = Stay()
    await stack.send(stay.admit())
    await stack.send(stay.discharge("20"))

    async def settled() -> bool:
        transition = await transition_of(services, stay)
        return transition is not None and transition["status"] == "closed"

    await until(settled, "the transition closes")
    transition = await transition_of(services, stay)
    assert transition is not None
    assert not [task for task in transition["tasks"] if task["status"] in ("requested", "accepted")]


async def test_a_merge_re_keys_everything_in_every_service(
    stack: StackDriver, services: Operations, pcp: Receiver
) -> None:
    retired, survivor = Stay(), Stay()
    for message in (survivor.admit(), retired.admit(), retired.discharge()):
        await stack.send(message)
    await told(pcp, DISCHARGED, retired)
    old = await in_status(services, retired, "following")
    new = await in_status(services, survivor, "open")
    assert old["patient"]["id"] != new["patient"]["id"]
    survivor.clock = max(survivor.clock, retired.clock)
    await stack.send(survivor.merge_from(retired))
    kept = new["patient"]["id"]

    async def rekeyed() -> bool:
        transition = await transition_of(services, retired)
        plans = (await services.get("careplan", "/plans", patient=kept))["items"]
        return transition is not None and transition["patient"]["id"] == kept and len(plans) >= 1

    await until(rekeyed, "transition and plan stand under the survivor")
    # What still comes under the retired number is the survivor's.
    await stack.send(retired.cancel_discharge())
    transition = await in_status(services, retired, "on-hold")
    assert transition["patient"]["id"] == kept


async def test_a_provider_that_is_down_is_told_when_it_is_back(stack: StackDriver, pcp: Receiver) -> None:
    stay = Stay()
    pcp.answer = 503
    await stack.send(stay.admit())

    async def refused() -> bool:
        return pcp.turned_away > 0

    await until(refused, "a first attempt is turned away")
    pcp.answer = 204
    await told(pcp, ADMITTED, stay)


@pytest.mark.parametrize("victim", ["intake", "transitions", "careplan", "notifications", "broker"])
async def test_a_killed_process_loses_nothing(
    stack: StackDriver, services: Operations, pcp: Receiver, victim: str
) -> None:
    stays = [Stay() for _ in range(6)]
    for stay in stays[:3]:
        await stack.send(stay.admit())
    stack.stack.kill(victim)
    for stay in stays[3:]:
        await stack.send(stay.admit())
    for stay in stays:
        await stack.send(stay.discharge())
    for stay in stays:
        await until(_heard(pcp, stay), f"discharge after {victim} was killed", deadline_s=60)
        await in_status(services, stay, "following")
        assert len(pcp.told(DISCHARGED, stay.visit)) == 1


def _heard(receiver: Receiver, stay: Stay) -> Callable[[], Awaitable[bool]]:
    async def heard() -> bool:
        return bool(receiver.told(DISCHARGED, stay.visit))

    return heard

"""Chains of moves and merges that come in any order: in the end everything is where it is when they come in theirs."""

import asyncio
from itertools import permutations

from services.intake.correcting import Corrector
from services.intake.releasing import Release
from services.intake.sealing import Seal
from tests.integration.intake.conftest import KEY, Intake, until
from tests.unit.intake.messages import adt


def moved(trigger: str, number: str, hour: int, source: str, target: str, former: str = "") -> bytes:
    """A move of what is `source`'s (its account or visit `former`) to `target`."""
    message = adt(
        trigger, control_id=f"{number}-{hour}", mrn=target, retired=source, recorded=f"20260302{hour:02d}0000"
    ).rstrip(b"\r")
    return message + (f"||{former}\r" if trigger == "A44" else f"||||{former}\r").encode()


def chain(number: str) -> list[bytes]:
    """A stay of S, moved to T, moved on to U by its visit; S was R before a merge, and the stay goes on meanwhile."""

    def say(trigger: str, hour: int, mrn: str, **more: str) -> bytes:
        control_id, recorded = f"{number}-{hour}", f"20260302{hour:02d}0000"
        return adt(trigger, control_id=control_id, mrn=mrn, visit=f"V{number}", recorded=recorded, **more)

    r, s, t, u = (f"{letter}{number}" for letter in "RSTU")
    return [
        say("A01", 9, r),
        adt("A40", control_id=f"{number}-10", mrn=s, retired=r, recorded="20260302100000"),
        moved("A43", number, 11, s, t),
        say("A08", 12, t, location="ICU^2^B"),
        moved("A45", number, 13, t, u, f"V{number}^^^GENHOSP^VN"),
        say("A03", 14, u, location="ICU^2^B", discharged="20260302140000", disposition="01"),
    ]


WHOSE = """
SELECT e.value, e.status, i.value AS patient, e.state -> 'milestones' AS milestones
FROM encounter e JOIN identifier i ON i.patient_id = e.patient_id ORDER BY e.value
"""


async def test_any_order_of_moves_and_merges_ends_the_same(intake: Intake) -> None:
    orders = list(permutations(range(6)))[::31]
    release = Release(intake.database, Corrector(intake.database, intake.feeds, Seal(KEY)), intake.reception)
    sender = await intake.sender()
    for number, order in enumerate(orders):
        messages = chain(f"{number:02d}")
        for place in order:
            assert await sender.send(messages[place]) == "AA"

    async def has_settled() -> bool:
        return await release.release() == 0

    await until(has_settled, seconds=120)
    assert await intake.rows("SELECT control_id, reason FROM message WHERE outcome <> 'accepted'") == []
    stays = await intake.rows(WHOSE)
    assert [(stay["value"], stay["patient"]) for stay in stays] == [
        (f"V{number:02d}", f"U{number:02d}") for number in range(len(orders))
    ]
    for stay in stays:
        kinds = [(one["kind"], one.get("whereto", "")) for one in stay["milestones"]]
        assert kinds == [("admitted", ""), ("transferred", "ICU^2^B"), ("discharged", "")]
        assert stay["status"] == "finished"


async def test_a_move_that_came_first_takes_the_stay_along_when_it_comes(intake: Intake) -> None:
    release = Release(intake.database, Corrector(intake.database, intake.feeds, Seal(KEY)), intake.reception)
    sender = await intake.sender()
    await sender.send(moved("A43", "1", 11, "S", "T"))
    await sender.send(adt("A01", control_id="2", mrn="S", visit="V1", recorded="20260302090000"))
    await sender.send(adt("A01", control_id="3", mrn="S", visit="V2", recorded="20260302120000"))
    running = asyncio.create_task(release.run())
    try:
        await until(lambda: _is_whose(intake, "V1", "T"), seconds=60)
    finally:
        running.cancel()
    assert await _is_whose(intake, "V2", "S")  # opened after the move
    assert (await intake.event_types())[-1] == "encounter.moved"


async def _is_whose(intake: Intake, visit: str, patient: str) -> bool:
    return [row["patient"] for row in await intake.rows(WHOSE) if row["value"] == visit] == [patient]

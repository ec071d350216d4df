"""Held messages that need nobody: a merge explains them afterwards."""

import asyncio

from services.intake.correcting import Corrector
from services.intake.releasing import Release
from services.intake.sealing import Seal
from tests.integration.intake.conftest import KEY, Intake, until
from tests.unit.intake.messages import adt


async def test_a_message_that_overtook_its_merge_is_applied_when_the_merge_comes(intake: Intake) -> None:
    corrector = Corrector(intake.database, intake.feeds, Seal(KEY))
    release = Release(intake.database, corrector, intake.reception)
    sender = await intake.sender()
    await sender.send(adt("A01", control_id="1", mrn="OLD", visit="V1"))
    await sender.send(adt("A02", control_id="2", mrn="NEW", visit="V1", location="ICU^2^B", recorded="20260302110000"))
    await sender.send(adt("A03", control_id="3", mrn="NEW", visit="V1", recorded="20260302150000"))
    assert await release.release() == 0
    running = asyncio.create_task(release.run())
    try:
        await sender.send(adt("A40", control_id="4", mrn="NEW", visit="", retired="OLD", recorded="20260302160000"))
        await until(lambda: _none_held(intake))
    finally:
        running.cancel()
    assert (await intake.event_types())[-2:] == ["encounter.transferred", "encounter.discharged"]
    rows = await intake.rows("SELECT outcome, decided_by FROM message WHERE control_id = '3'")
    assert rows == [{"outcome": "accepted", "decided_by": "intake"}]


async def _none_held(intake: Intake) -> bool:
    return all(outcome == "accepted" for _, outcome, _ in await intake.log())

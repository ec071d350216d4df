"""Replays of what took effect: nothing where nothing differs, and only the difference where something does."""

from collections.abc import Mapping
from typing import Any

import pytest_asyncio

from services.intake import replay_store
from services.intake.correcting import Corrector
from services.intake.feeds import Feeds
from services.intake.replay_runs import ReplayRuns
from services.intake.sealing import Seal
from tests.integration.intake.conftest import KEY, Intake
from tests.unit.intake.messages import adt

TABLES = {
    "message": "id, feed, control_id, trigger, outcome, reason, code, doubts, patient_id, encounter_id, effects, sha256,"
    " size, raw, version, note, decided_by",
    "message_key": "*",
    "identifier": "*",
    "patient": "*",
    "encounter": "*",
    "encounter_fact": "*",
    "patient_key": "*",
    "outbox": "id, type, subject",
}


class Replayer:
    """Replays on the test's intake, with feeds of its own."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.use(intake.feeds)

    def use(self, feeds: Any) -> None:
        self.feeds = feeds
        self.corrector = Corrector(self.intake.database, feeds, Seal(KEY))
        self.runs = ReplayRuns(self.intake.database, self.corrector, self.intake.reception)

    def map_disposition(self, code: str, to: str) -> None:
        said = self.intake.feeds.model_dump()
        for feed in said["feeds"]:
            feed["dispositions"][code] = to
        self.use(Feeds.model_validate(said))

    async def replay(self, *, dry: bool = False, **filters: object) -> dict[str, Any]:
        async with self.intake.database.transaction() as tx:
            replay_id, _ = await replay_store.begin(tx.connection, "someone", filters, is_dry=dry, most=10_000)
        return await self.ended(replay_id)

    async def carry_out(self, dry: dict[str, Any]) -> dict[str, Any]:
        async with self.intake.database.transaction() as tx:
            replay_id = await replay_store.begin_again(tx.connection, "someone", dry)
        return await self.ended(replay_id)

    async def ended(self, replay_id: Any) -> dict[str, Any]:
        while await self.runs.carry_on():
            pass
        async with self.intake.database.pool.acquire() as connection:
            found = await replay_store.replay(connection, replay_id)
            assert found is not None
            assert (found["state"], found["read"]) == ("done", found["total"])
            return found | {"differences": await replay_store.differences(connection, replay_id, 0, 100)}

    async def checksums(self, tables: Mapping[str, str] = TABLES) -> dict[str, object]:
        """Of all rows and columns, but for when a message was received."""
        return {
            table: (await self.intake.rows(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM"
                                           f" (SELECT {columns} FROM {table}) t"))[0]["md5"]
            for table, columns in tables.items()
        }  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def replayer(intake: Intake) -> Replayer:
    return Replayer(intake)


async def stays(intake: Intake, count: int, disposition: str = "HOME") -> None:
    """Whole stays, with a correction, a wrong order and a merge among them, and what is held and refused."""
    sender = await intake.sender()
    for n in range(count):
        who: dict[str, Any] = {"mrn": f"M{n}", "visit": f"V{n}"}
        await sender.send(adt("A03", control_id=f"{n}c", recorded="20260302150000", disposition=disposition, **who))
        await sender.send(adt("A01", control_id=f"{n}a", recorded="20260302090000", **who))
        await sender.send(adt("A02", control_id=f"{n}b", recorded="20260302110000", location="ICU^2^B", **who))
        await sender.send(adt("A08", control_id=f"{n}d", recorded="20260302160000", family=f"Changed{n}", **who))
    await sender.send(adt("A40", control_id="merge", mrn="M0", visit="", retired="M1", recorded="20260302170000"))
    await sender.send(adt("A08", control_id="after", mrn="M1", visit="V1", recorded="20260302180000"))
    await sender.send(adt("A08", control_id="held", mrn="M2", visit="V3"))
    await sender.send(adt("A01", control_id="none", mrn="", visit="V9"))


async def test_a_replay_that_finds_nothing_new_leaves_no_trace(replayer: Replayer) -> None:
    await stays(replayer.intake, 30)
    before = await replayer.checksums()
    for dry in (True, False):
        found = await replayer.replay(dry=dry)
        assert (found["total"], found["unchanged"], found["events"]) == (124, 124, [])
        assert await replayer.checksums() == before


async def test_a_corrected_map_says_only_what_differs(replayer: Replayer) -> None:
    await stays(replayer.intake, 6, disposition="NH")
    said = len(await replayer.intake.event_types())
    before = await replayer.checksums()
    replayer.map_disposition("NH", "03")
    dry = await replayer.replay(dry=True, feed="general-hospital")
    assert await replayer.checksums() == before
    assert (dry["changed"], dry["events"]) == (6, [{"type": "care.encounter.updated.v1", "count": 6}])
    assert {one["difference"]["fields"][0] for one in dry["differences"]} == {"stay: disposition"}
    done = await replayer.carry_out(dry)
    assert (done["changed"], done["events"]) == (6, dry["events"])
    assert (await replayer.intake.event_types())[said:] == ["encounter.updated"] * 6
    [row] = await replayer.intake.rows(
        "SELECT count(*) FROM encounter WHERE state -> 'said' -> 'disposition' ->> 'nubc' = '03'"
    )
    assert row["count"] == 6
    again = await replayer.replay()
    assert (again["changed"], again["events"]) == (0, [])


async def test_what_is_held_is_applied_in_the_order_of_arrival(replayer: Replayer) -> None:
    intake = replayer.intake
    sender = await intake.sender()
    await sender.send(adt("A01", control_id="1", visit="", admitted=""))
    await sender.send(adt("A03", control_id="2", visit="", admitted="", recorded="20260302150000"))
    assert [line[1:] for line in await intake.log()] == [("held", "no-visit")] * 2
    still = await replayer.replay(outcome="held", reason="no-visit")
    assert (still["total"], still["unchanged"]) == (2, 2)


async def test_a_held_visit_is_told_once_its_patient_is_merged(replayer: Replayer) -> None:
    intake = replayer.intake
    sender = await intake.sender()
    await sender.send(adt("A01", control_id="1", mrn="OLD", visit="V1"))
    await sender.send(adt("A03", control_id="2", mrn="NEW", visit="V1", recorded="20260302150000"))
    dry = await replayer.replay(dry=True, reason="visit-of-another-patient", outcome="held")
    assert dry["unchanged"] == 1
    await sender.send(adt("A40", control_id="3", mrn="NEW", visit="", retired="OLD", recorded="20260302160000"))
    dry = await replayer.replay(dry=True, reason="visit-of-another-patient", outcome="held")
    assert dry["events"] == [{"type": "care.encounter.discharged.v1", "count": 1}]
    assert "encounter.discharged" not in await intake.event_types()
    await replayer.carry_out(dry)
    assert (await intake.event_types())[-1] == "encounter.discharged"


async def test_a_feed_that_is_gone_withdraws_nothing(replayer: Replayer) -> None:
    await stays(replayer.intake, 3)
    before = await replayer.checksums()
    said = replayer.intake.feeds.model_dump()
    said["feeds"] = [feed | {"triggers": ["A31"]} for feed in said["feeds"]]
    replayer.use(Feeds.model_validate(said))
    found = await replayer.replay(outcome="accepted")
    assert {one["difference"]["left"] for one in found["differences"]} == {"trigger-not-taken"}
    assert await replayer.checksums() == before


async def test_a_person_is_read_anew_where_an_authority_was_named_wrong(replayer: Replayer) -> None:
    """The identifiers of the messages belong to another authority: patient and stay move, the old stay is withdrawn."""
    intake = replayer.intake
    sender = await intake.sender()
    await sender.send(adt("A01", control_id="1"))
    said = intake.feeds.model_dump()
    for feed in said["feeds"]:
        feed["authorities"]["GENHOSP"] = "OTHER"
    replayer.use(Feeds.model_validate(said))
    done = await replayer.replay()
    assert done["changed"] == 1
    assert (await intake.event_types())[1:] == [
        "patient.updated",
        "encounter.admission-cancelled",
        "encounter.admitted",
    ]
    facts = await intake.rows("SELECT authority FROM encounter JOIN encounter_fact ON encounter_id = id")
    assert [row["authority"] for row in facts] == ["OTHER"]

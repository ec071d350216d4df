"""Chains of moves and merges that come in any order: in the end everything is where it is when they come in theirs."""

import asyncio
from itertools import permutations

from services.intake.correcting import Corrector
from services.intake.identity.splitting import split
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


async def settled(intake: Intake) -> None:
    release = Release(intake.database, Corrector(intake.database, intake.feeds, Seal(KEY)), intake.reception)

    async def has_settled() -> bool:
        return await release.release() == 0

    await until(has_settled, seconds=120)


async def whose(intake: Intake) -> dict[str, str]:
    return {row["value"]: row["patient"] for row in await intake.rows(WHOSE)}


async def test_what_the_survivor_had_before_stays_whichever_of_move_and_merge_comes_first(intake: Intake) -> None:
    """S moves to T; later S goes into U, who has a stay of long before."""
    sender = await intake.sender()
    for mark, merge_first in (("1", False), ("2", True)):
        s, t, u = (f"{letter}{mark}" for letter in "STU")
        opened = [
            adt("A01", control_id=f"{mark}{who}", mrn=who, visit=f"V{who}", recorded="20260302090000") for who in (s, u)
        ]
        move = moved("A43", mark, 10, s, t)
        merge = adt("A40", control_id=f"{mark}-11", mrn=u, retired=s, recorded="20260302110000")
        for message in [*opened, *((merge, move) if merge_first else (move, merge))]:
            assert await sender.send(message) == "AA"
    await settled(intake)
    rows = await intake.rows("""
        SELECT e.value, array_agg(i.value ORDER BY i.value) AS owners FROM encounter e
        JOIN patient_key k ON k.id = e.patient_id OR k.survivor = e.patient_id
        JOIN identifier i ON i.patient_id = k.id GROUP BY e.value ORDER BY e.value""")
    assert {row["value"]: row["owners"] for row in rows} == {
        "VS1": ["T1"], "VU1": ["S1", "U1"], "VS2": ["T2"], "VU2": ["S2", "U2"],
    }  # fmt: skip


async def test_an_account_that_only_a_move_said_is_known_though_the_stay_was_there_already(intake: Intake) -> None:
    sender = await intake.sender()
    move = moved("A43", "1", 11, "S", "T").replace(b"19480214|F", b"19480214|F||||||||||ACC9^^^GENHOSP^AN")
    await sender.send(adt("A08", control_id="2", mrn="T", visit="V1", recorded="20260302120000"))
    await sender.send(move)
    assert await sender.send(adt("A01", control_id="3", mrn="S", visit="V1", recorded="20260302090000")) == "AA"
    await settled(intake)
    [stay] = await intake.rows("SELECT state FROM encounter")
    assert stay["state"]["said"]["account"]["value"] == "ACC9"
    assert await intake.rows("SELECT 1 FROM message WHERE outcome <> 'accepted'") == []


async def test_what_was_moved_for_a_merge_alone_comes_back_when_that_is_undone(intake: Intake) -> None:
    sender = await intake.sender()
    for who in ("R", "S"):
        await sender.send(adt("A01", control_id=who, mrn=who, visit=f"V{who}", recorded="20260302090000"))
    await sender.send(adt("A40", control_id="3", mrn="S", retired="R", recorded="20260302100000"))
    await sender.send(moved("A43", "4", 11, "S", "T"))
    assert await whose(intake) == {"VR": "T", "VS": "T"}
    [join] = await intake.rows("SELECT id FROM identity_join")
    async with intake.database.transaction() as tx:
        restored = await split(tx, intake.feeds, Seal(KEY), join["id"], None, by="ops", reason="two people")
    await settled(intake)
    owners = {row["value"]: row["patient_id"] for row in await intake.rows("SELECT value, patient_id FROM encounter")}
    assert owners["VR"] == restored
    assert (await whose(intake))["VS"] == "T"


async def _is_whose(intake: Intake, visit: str, patient: str) -> bool:
    return [row["patient"] for row in await intake.rows(WHOSE) if row["value"] == visit] == [patient]

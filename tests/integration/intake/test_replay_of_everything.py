"""Two thousand messages of all kinds replayed: nothing changes; and where something does, only that is said."""

from typing import Any

import pytest_asyncio

from tests.integration.intake.conftest import Intake
from tests.integration.intake.test_replay import TABLES, Replayer
from tests.support.feeds_of_everything import everything
from tests.unit.intake.messages import adt
from tests.unit.intake.statements import oru, ref, siu

TABLES_OF_ALL = {**TABLES, "standing": "*", "patient_link": "*", "identity_join": "*", "stream": "*"}
MESSAGES = 2_000
IN_FLIGHT = 30
T1, T2, T3 = "20260307090000", "20260307100000", "20260308090000"


@pytest_asyncio.fixture(loop_scope="session")
async def replayer(intake: Intake) -> Replayer:
    return Replayer(intake)


async def send_all(intake: Intake, messages: list[bytes]) -> None:
    """As fast as they are answered, each in its turn; until all have taken effect."""
    sender = await intake.sender()
    for start in range(0, len(messages), IN_FLIGHT):
        part = messages[start : start + IN_FLIGHT]
        sender.write(b"".join(b"\x0b" + one + b"\x1c\x0d" for one in part))
        for _ in part:
            await sender.answer()
    await intake.interpreted()


async def test_a_replay_of_everything_changes_and_says_nothing(replayer: Replayer) -> None:
    await send_all(replayer.intake, everything(MESSAGES))
    kinds = {
        row["trigger"]: row["count"]
        for row in await replayer.intake.rows(
            "SELECT trigger, count(*) FROM message WHERE outcome = 'accepted' GROUP BY 1"
        )
    }
    assert {"ORU^R01", "SIU^S12", "SIU^S13", "MDM^T02", "REF^I12", "A17", "A24", "A40", "A42", "A44", "A45", "A50"} <= (
        kinds.keys()
    )
    before = await replayer.checksums(TABLES_OF_ALL)
    found = await replayer.replay()
    assert found["total"] >= MESSAGES
    assert [one for one in found["differences"] if one["found"] != "left"] == []
    assert (found["changed"], found["failed"], found["events"]) == (0, 0, [])
    assert await replayer.checksums(TABLES_OF_ALL) == before


async def told(intake: Intake) -> list[tuple[str, str]]:
    rows = await intake.rows("SELECT subject, type FROM outbox WHERE topic ~ 'followups|referrals' ORDER BY id")
    return [(row["subject"], row["type"].split(".", 2)[2].removesuffix(".v1")) for row in rows]


async def statements(intake: Intake) -> None:
    await send_all(
        intake,
        [
            adt("A01"),
            oru(T1, "OBX|1|NM|2951-2^Sodium^LN||138|mmol/L|||||P"),
            oru(T2, "OBX|1|NM|2951-2^Sodium^LN||139|mmol/L|||||F"),
            siu("S12", T1),
            siu("S13", T2, "20260312090000"),
            ref("I12", T1),
        ],
    )


def in_zone(replayer: Replayer, zone: str) -> None:
    said: dict[str, Any] = replayer.intake.feeds.model_dump()
    for feed in said["feeds"]:
        feed["facility"]["time_zone"] = zone
    replayer.use(type(replayer.intake.feeds).model_validate(said))


async def test_a_corrected_zone_moves_what_was_booked_and_measured(replayer: Replayer) -> None:
    await statements(replayer.intake)
    said = len(await told(replayer.intake))
    before = await replayer.checksums(TABLES_OF_ALL)
    in_zone(replayer, "America/Denver")
    dry = await replayer.replay(dry=True)
    assert await replayer.checksums(TABLES_OF_ALL) == before
    assert dry["changed"] == 4  # of what a later message has said anew, the earlier one says nothing any longer
    done = await replayer.carry_out(dry)
    assert done["events"] == dry["events"]
    kinds = sorted(kind for _, kind in (await told(replayer.intake))[said:])
    assert kinds == ["appointment-moved", "observation-recorded", "updated"]
    [thing] = await replayer.intake.rows("SELECT told FROM standing WHERE about = 'appointment'")
    assert thing["told"]["starts_at"] == "2026-03-12T15:00:00+00:00"
    again = await replayer.replay()
    assert (again["changed"], again["events"]) == (0, [])


async def test_what_belongs_to_another_authority_is_taken_back_and_said_anew(replayer: Replayer) -> None:
    """The old patient's result and referral are withdrawn, the new one's are said. An appointment whose number stays
    what it was is the old patient's still: whose it is, only the hospital can tell.
    """
    await statements(replayer.intake)
    said = len(await told(replayer.intake))
    [old] = {subject for subject, _ in await told(replayer.intake)}
    configured = replayer.intake.feeds.model_dump()
    for feed in configured["feeds"]:
        feed["authorities"] |= {"GENHOSP": "OTHER", "ACME": "ELSEWHERE", "LAB": "OTHERLAB"}
    replayer.use(type(replayer.intake.feeds).model_validate(configured))
    done = await replayer.replay()
    assert (done["changed"], done["left"]) == (4, 2)
    reasons = {one["difference"]["left"] for one in done["differences"] if one["found"] == "left"}
    assert reasons == {"stated-of-another-patient"}
    fresh = (await told(replayer.intake))[said:]
    assert sorted(kind for subject, kind in fresh if subject != old) == ["observation-recorded", "requested"]
    assert sorted(kind for subject, kind in fresh if subject == old) == ["cancelled", "observation-recorded"]
    withdrawn = await replayer.intake.rows("SELECT told FROM standing WHERE about = 'observation' AND record = '[]'")
    assert [one["told"]["status"] for one in withdrawn] == ["D"]
    again = await replayer.replay()
    assert (again["changed"], again["events"]) == (0, [])


async def test_a_held_appointment_is_seen_before_it_is_applied(replayer: Replayer) -> None:
    """What stands beside stays is looked at beforehand, too: it used to be offered again unseen."""
    intake = replayer.intake
    sender = await intake.sender()
    assert await sender.send(siu("S12", T1)) == "AA"
    assert await sender.send(siu("S15", T2).replace(b"MRN001", b"MRN002")) == "AA"
    assert ("SIU^S15", "held", "stated-of-another-patient") in await intake.log()
    await send_all(intake, [adt("A40", mrn="MRN002", visit="", retired="MRN001", recorded=T3)])
    dry = await replayer.replay(dry=True, outcome="held")
    assert dry["events"] == [{"type": "care.followup.appointment-cancelled.v1", "count": 1}]
    await replayer.carry_out(dry)
    assert (await told(intake))[-1][1] == "appointment-cancelled"

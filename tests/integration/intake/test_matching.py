"""Two hospitals know one person under two numbers: found after the commit, linked when certain, else left to a person."""

from typing import Any

import orjson

from services.intake.identity.linking import link_certain
from services.intake.identity.matching import Matching
from services.intake.identity.showing import show_reviews_once
from services.intake.identity.weights import read_weights
from shared.metrics import IDENTITY_REVIEWS, PATIENTS_MATCHED
from tests.integration.intake.conftest import Intake
from tests.unit.intake.messages import adt

MARSH = {"family": "Marsh", "given": "Eleanor", "address": "1200 W Lake St^^Chicago^IL^60607", "phone": "3125550142"}


def told(trigger: str, **said: Any) -> bytes:
    """An ADT message of Eleanor Marsh, with what tells her apart."""
    traits = MARSH | {name: said.pop(name) for name in MARSH.keys() & said.keys()}
    born, sex = said.pop("born", "19480214"), said.pop("sex", "F")
    lines = adt(trigger, **said).decode().split("\r")
    pid = lines[2].split("|")[:5]
    name = f"{traits['family']}^{traits['given']}"
    lines[2] = "|".join([*pid, name, "", born, sex, "", "", traits["address"], "", traits["phone"]])
    return "\r".join(lines).encode()


async def match(intake: Intake, *, auto_link: bool = True) -> None:
    """Works the queue off as the worker does."""
    matching = Matching(intake.database, read_weights(), auto_link=auto_link)
    while await matching.match_batch():
        await link_certain(intake.database)


async def pairs(intake: Intake) -> list[tuple[str, str]]:
    rows = await intake.rows("SELECT state, grade FROM identity_pair ORDER BY found_at, id")
    return [(row["state"], row["grade"]) for row in rows]


async def patients_of(intake: Intake) -> dict[str, str]:
    rows = await intake.rows("SELECT value, patient_id FROM encounter")
    return {row["value"]: row["patient_id"] for row in rows}


async def test_a_certain_pair_is_linked_and_told_on_both_keys(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(told("A01", mrn="1001", visit="V1", facility="GENHOSP"))
    await sender.send(told("A01", mrn="7702", visit="V2", facility="LAKESIDE", control_id="2"))
    await match(intake)
    assert await pairs(intake) == [("linked", "certain")]
    assert len(set((await patients_of(intake)).values())) == 1
    said = await intake.rows("SELECT value FROM outbox WHERE type = 'care.patient.merged.v1' ORDER BY id")
    assert len(said) == 2
    patient = orjson.loads(said[0]["value"])["patient"]
    assert {one["authority"] for one in patient["identifiers"]} == {"GENHOSP", "LAKESIDE"}
    # What comes later under either number is one patient's.
    await sender.send(told("A01", mrn="7702", visit="V3", facility="LAKESIDE", control_id="3"))
    await match(intake)
    assert len(set((await patients_of(intake)).values())) == 1
    assert await intake.rows("SELECT basis FROM identity_join") == [{"basis": "automatic-link"}]


async def test_what_is_not_certain_waits_for_a_person(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(told("A01", mrn="1001", visit="V1", facility="GENHOSP"))
    await sender.send(told("A01", mrn="7702", visit="V2", facility="LAKESIDE", given="Miriam", control_id="2"))
    await match(intake)
    assert await pairs(intake) == [("review", "probable")]
    assert await intake.rows("SELECT guards FROM identity_pair") == [{"guards": ["twins"]}]
    assert len(set((await patients_of(intake)).values())) == 2
    assert "patient.merged" not in await intake.event_types()


async def test_rates_of_review_and_of_the_unmatched_are_metrics(intake: Intake) -> None:
    def found(what: str) -> float:
        return float(PATIENTS_MATCHED.labels(what)._value.get())

    before = {what: found(what) for what in ("unmatched", "review")}
    sender = await intake.sender()
    await sender.send(told("A01", mrn="1001", visit="V1", facility="GENHOSP"))
    await match(intake)
    await sender.send(told("A01", mrn="7702", visit="V2", facility="LAKESIDE", control_id="2"))
    await match(intake, auto_link=False)
    assert {what: found(what) - count for what, count in before.items()} == {"unmatched": 1, "review": 1}
    await show_reviews_once(intake.database)
    assert IDENTITY_REVIEWS.labels("pairs review")._value.get() == 1


async def test_two_who_are_certain_at_once_are_left_to_a_person(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(told("A01", mrn="1001", visit="V1", facility="LAKESIDE"))
    await sender.send(told("A01", mrn="1002", visit="V2", facility="LAKESIDE", control_id="2"))
    await sender.send(told("A01", mrn="7702", visit="V3", facility="GENHOSP", control_id="3"))
    await match(intake)
    assert await pairs(intake) == [("review", "certain"), ("review", "certain")]


async def test_three_hospitals_that_agree_become_one(intake: Intake) -> None:
    sender = await intake.sender()
    for nth, facility in enumerate(("GENHOSP", "LAKESIDE", "STBRIGID")):
        await sender.send(told("A01", mrn=f"M{nth}", visit=f"V{nth}", facility=facility, control_id=str(nth)))
    await match(intake)
    assert len(set((await patients_of(intake)).values())) == 1


async def test_nobody_in_particular_is_matched_with_nobody(intake: Intake) -> None:
    sender = await intake.sender()
    for nth, facility in enumerate(("GENHOSP", "LAKESIDE")):
        for which, (family, given) in enumerate((("Doe", "John"), ("Marsh", "Baby Boy"), ("Test", "Patient"))):
            number = f"{nth}{which}"
            message = told(
                "A01", mrn=f"M{number}", visit=f"V{number}", facility=facility, control_id=number,
                family=family, given=given,
            )  # fmt: skip
            await sender.send(message)
    await match(intake)
    assert await pairs(intake) == []
    assert await intake.rows("SELECT key FROM identity_key") == []


async def test_within_one_authority_its_own_word_is_awaited(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(told("A01", mrn="1001", visit="V1"))
    await sender.send(told("A01", mrn="1002", visit="V2", control_id="2"))
    await match(intake)
    assert await pairs(intake) == []


async def test_what_becomes_known_later_is_looked_at_again(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(told("A01", mrn="1001", visit="V1", facility="GENHOSP"))
    await sender.send(
        told("A01", mrn="7702", visit="V2", facility="LAKESIDE", family="Unknown", born="", control_id="2")
    )
    await match(intake)
    assert await pairs(intake) == []
    known = told("A08", mrn="7702", visit="V2", facility="LAKESIDE", control_id="3", recorded="20260302101800")
    await sender.send(known)
    await match(intake, auto_link=False)
    assert await pairs(intake) == [("review", "certain")]


async def test_a_key_that_everybody_shares_tells_nobody_apart_and_costs_nothing(intake: Intake) -> None:
    weights = read_weights().model_copy(update={"block_most": 2})
    sender = await intake.sender()
    for nth, facility in enumerate(("GENHOSP", "LAKESIDE", "STBRIGID")):
        await sender.send(told("A01", mrn=f"M{nth}", visit=f"V{nth}", facility=facility, control_id=str(nth)))
    assert await Matching(intake.database, weights, auto_link=True).match_batch() == 3
    assert await pairs(intake) == []


async def test_an_overlay_is_held_and_tells_nobody(intake: Intake) -> None:
    sender = await intake.sender()
    await sender.send(told("A01", mrn="1001", visit="V1"))
    other = {"family": "Quill", "given": "Robert", "born": "19900730", "sex": "M"}
    overlaid = told("A08", mrn="1001", visit="V1", control_id="2", recorded="20260302101800", **other)
    assert await sender.send(overlaid) == "AA"
    assert (await intake.log())[-1] == ("A08", "held", "overlay-suspected")
    assert await intake.event_types() == ["encounter.admitted"]

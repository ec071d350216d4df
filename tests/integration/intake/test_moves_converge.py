"""Merges, moves and new numbers in any order, with repetitions, end as in the order in which they were said."""

from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings

from services.intake.correcting import Corrector
from services.intake.releasing import Release
from services.intake.sealing import Seal
from tests.integration.intake.conftest import KEY, Intake, Sender, until
from tests.support.histories import PATIENTS, History, histories

CHART = """
SELECT e.value, e.status, e.state, array_agg(DISTINCT i.value ORDER BY i.value) AS owners
FROM encounter e
LEFT JOIN patient_key k ON k.id = e.patient_id OR k.survivor = e.patient_id
LEFT JOIN identifier i ON i.patient_id = k.id
WHERE e.value LIKE '%' || $1 GROUP BY e.id ORDER BY e.value
"""
WHO_IS_WHO = """
SELECT array_agg(i.value ORDER BY i.value) AS numbers, min(p.record::text)::jsonb AS record
FROM identifier i JOIN patient_key k ON k.id = i.patient_id
LEFT JOIN patient p ON p.id = coalesce(k.survivor, k.id)
WHERE i.value LIKE 'P%' || $1 GROUP BY coalesce(k.survivor, k.id) ORDER BY 1
"""
HELD = """
SELECT trigger, reason FROM message WHERE control_id LIKE '%' || $1 AND outcome <> 'accepted' ORDER BY control_id
"""
MARKS = count()


async def chart(intake: Intake, mark: str) -> Any:
    """Visits with their owners and states, and who is who; without what is of one telling alone."""
    stays = []
    for row in await intake.rows(CHART, mark):
        state = dict(row["state"])
        state["watermark"] = None
        owners = [] if "merged_into" in state else row["owners"]
        stays.append((row["value"], row["status"], state, owners))
    # A number may lead to where the visit goes on in one step or in several.
    leads = {value: state["merged_into"]["value"] for value, _, state, _ in stays if "merged_into" in state}
    for _, _, state, _ in stays:
        if "merged_into" in state:
            state["merged_into"] = {**state["merged_into"], "value": _end(leads, state["merged_into"]["value"])}
    people = [
        (row["numbers"], {name: value for _, said in reversed(row["record"] or []) for name, value in said.items()
                          if not name.startswith("identifiers")})
        for row in await intake.rows(WHO_IS_WHO, mark)
    ]  # fmt: skip
    return replaced({"stays": stays, "people": people}, mark)


def _end(leads: dict[str, str], value: str) -> str:
    while value in leads:
        value = leads[value]
    return value


def replaced(value: Any, mark: str) -> Any:
    if isinstance(value, str):
        return value.replace(mark, "")
    if isinstance(value, dict):
        return {key: replaced(one, mark) for key, one in value.items()}
    return [replaced(one, mark) for one in value] if isinstance(value, list | tuple) else value


async def tell(intake: Intake, sender: Sender, messages: list[bytes]) -> None:
    release = Release(intake.database, Corrector(intake.database, intake.feeds, Seal(KEY)), intake.reception)
    for message in messages:
        assert await sender.send(message) == "AA"

    async def has_settled() -> bool:
        return await release.release() == 0

    await until(has_settled, seconds=60)


@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories())
async def test_any_order_ends_as_the_order_of_saying(intake: Intake, history: History) -> None:
    sender = intake.first_sender or await intake.sender()
    in_order, shuffled = (f"x{next(MARKS):04d}x" for _ in range(2))
    first, second = history.hospital(in_order), history.hospital(shuffled)
    await tell(intake, sender, first.told)
    expected = await chart(intake, in_order)
    assert whose(expected) == {f"V{visit}": names(first, visit) for visit in first.visits()}
    await tell(intake, sender, history.shuffled(second.told))
    found = await chart(intake, shuffled)
    if first.cycles:
        # Which of the two merges is held, and so what it says of the person, is by which came first.
        for told in (found, expected):
            told["people"] = [numbers for numbers, _ in told["people"]]
    assert found == expected
    if not first.cycles:
        assert await intake.rows(HELD, in_order) == await intake.rows(HELD, shuffled) == []


def whose(told: Any) -> dict[str, list[str]]:
    """Each visit's first number, and the owners of the visit as it goes on."""
    owners = {value: owners for value, _, state, owners in told["stays"]}
    leads = {value: state["merged_into"]["value"] for value, _, state, _ in told["stays"] if "merged_into" in state}
    found = {}
    for value in owners:
        if "n" not in value:
            found[value] = owners[_end(leads, value)]
    return found


def names(hospital: Any, visit: int) -> list[str]:
    owner = hospital.owner_now(visit)
    named = b"|".join(hospital.told)
    return [
        f"P{one}"
        for one in range(PATIENTS)
        if hospital.now(one) == owner and f"P{one}{hospital.mark}".encode() in named
    ]

"""Movements with ids through the store: a cancel or update of one finds what was told of it long before, or comes first."""

from itertools import permutations

from tests.integration.intake.conftest import Intake
from tests.unit.intake.messages import adt


def stay(visit: str) -> list[bytes]:
    def say(trigger: str, hour: int, location: str, zbe: str) -> bytes:
        message = adt(
            trigger,
            control_id=f"{visit}-{trigger}-{hour}",
            mrn=visit,
            visit=visit,
            recorded=f"20260302{hour:02d}0000",
            location=location,
        )
        return message + f"ZBE|{zbe}\r".encode()

    return [
        say("A01", 9, "4W^401^A", f"{visit}1|20260302090000||INSERT|N"),
        say("A02", 10, "ICU^2^B", f"{visit}2|20260302100000||INSERT|N"),
        say("A02", 11, "5E^510^C", f"{visit}3|20260302110000||INSERT|N"),
        say("A12", 12, "4W^401^A", f"{visit}2|20260302100000||CANCEL|Y"),
        say("Z99", 13, "5E^511^C", f"{visit}3|20260302113000||UPDATE|N|A02"),
    ]


async def test_any_order_ends_the_same(intake: Intake) -> None:
    orders = list(permutations(range(5)))[::17]
    sender = await intake.sender()
    for number, order in enumerate(orders):
        messages = stay(f"V{number}")
        for place in order:
            assert await sender.send(messages[place]) == "AA"
    kept = await intake.rows("SELECT state FROM encounter")
    assert len(kept) == len(orders)
    for row in kept:
        told = [(m["kind"], m.get("whereto", ""), m["at"]) for m in row["state"]["milestones"]]
        assert told == [
            ("admitted", "", "2026-03-02T15:15:00+00:00"),
            ("transferred", "5E^511^C", "2026-03-02T17:30:00+00:00"),
        ]
    assert await intake.rows("SELECT 1 FROM message WHERE outcome <> 'accepted'") == []

"""The roster's file at the start: loaded once, never over what people put in place since."""

from pathlib import Path

import pytest

from services.notifications.roster import Roster, RosterError
from services.notifications.rostering import load_file
from tests.integration.notifications.house import House

LOADS = "SELECT loaded_by, memberships FROM roster_load ORDER BY version"


async def test_a_file_is_loaded_once(house: House, tmp_path: Path) -> None:
    file = tmp_path / "roster.yaml"
    file.write_text(FIVE)
    await load_file(house.database, file)
    await house.load(Roster.model_validate({"organisations": [{"slug": "by-hand", "name": "By hand", "codes": ["X"]}]}))
    await load_file(house.database, file)
    loads = await house.rows(LOADS)
    assert [row["loaded_by"] for row in loads] == ["test", "file", "test"]


async def test_a_file_that_removes_too_much_is_left_aside(house: House, tmp_path: Path) -> None:
    file = tmp_path / "roster.yaml"
    file.write_text("organisations: []")
    await load_file(house.database, file)
    assert [row["loaded_by"] for row in await house.rows(LOADS)] == ["test"]


async def test_a_wrong_file_changes_nothing(house: House, tmp_path: Path) -> None:
    file = tmp_path / "roster.yaml"
    file.write_text("organisations: [{slug: UPPER, name: x}]")
    with pytest.raises(RosterError):
        await load_file(house.database, file)
    assert [row["loaded_by"] for row in await house.rows(LOADS)] == ["test"]


FIVE = """
organisations:
  - {slug: hospitalists, name: Hospitalists, practitioners: ["1000994925"]}
  - {slug: primary, name: Primary Care, practitioners: ["1000000004"]}
  - {slug: nursing, name: Nursing, codes: [WILLOW]}
  - {slug: exchange, name: Exchange, subscriptions: ["*"]}
  - {slug: reader, name: Reader, kafka: true, subscriptions: [GENHOSP]}
  - {slug: another, name: Another, codes: [ANOTHER]}
"""

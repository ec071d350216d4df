"""The generated references are current, and the table of who hears what is what the services really hear."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.reference.__main__ import outdated, references, write
from deploy.reference.routes import ROUTES, address_of
from services.careplan.catalogue import read_catalogue
from services.careplan.consumers import handlers as careplan_handlers
from services.dashboard.consumers import HANDLERS as DASHBOARD_HANDLERS
from services.notifications.consumers import handlers as notifications_handlers
from services.transitions.consumers import handlers as transitions_handlers
from services.transitions.protocols import Library
from shared.events import BY_TYPE, FACTS, Topic
from shared.kafka import Handler

SERVICES = Path(__file__).parents[2] / "services"


def test_the_references_are_current() -> None:
    assert outdated() == [], "run: python -m deploy.reference"


def test_a_missing_a_changed_and_a_left_over_file_are_seen_and_put_right(tmp_path: Path) -> None:
    write(tmp_path)
    changed, missing = tmp_path / "events.md", tmp_path / "schemas" / "care.encounter.discharged.v1.json"
    left_over = tmp_path / "schemas" / "care.encounter.forgotten.v1.json"
    changed.write_text("# Events\n")
    missing.unlink()
    left_over.write_text("{}")

    assert set(outdated(tmp_path)) == {changed, missing, left_over}
    write(tmp_path)
    assert outdated(tmp_path) == []
    assert not left_over.exists()


def test_every_type_has_a_schema_and_a_route() -> None:
    files = {path.name for path in references()}
    addresses = {route.address for route in ROUTES}
    assert {f"{name}.json" for name in BY_TYPE} <= files
    assert {address_of(fact) for fact in FACTS} == addresses


def heard(service: str) -> set[str]:
    return {route.address for route in ROUTES if service in route.hears}


@pytest.mark.parametrize(
    ("service", "handlers"),
    [
        ("transitions", transitions_handlers(Library(()))),
        ("careplan", careplan_handlers(read_catalogue(SERVICES / "careplan" / "templates"))),
        ("notifications", notifications_handlers(lambda: None)),
        ("dashboard", DASHBOARD_HANDLERS),
    ],
)
def test_a_service_hears_what_the_contract_says(service: str, handlers: Mapping[Topic, Handler]) -> None:
    assert {topic.value for topic in handlers} | {Topic.REPUBLISH.value} == heard(service)

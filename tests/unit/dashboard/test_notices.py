"""What a provider's system may hear of, and how a notice is read."""

import pytest

from services.dashboard.live import watchable
from services.dashboard.pages.notices import told_parts
from services.dashboard.projecting import ANY_NOTICE, announced
from shared.http import Caller, Role

TOPICS = {"board", "stay:1", "notices:oak", "notices:elm", ANY_NOTICE, "referrals", "deliveries"}


@pytest.mark.parametrize(
    ("roles", "heard"),
    [
        ({Role.PROVIDER}, {"notices:oak", ANY_NOTICE, "referrals"}),
        ({Role.OPS}, TOPICS),
        ({Role.PROVIDER, Role.ADMIN}, TOPICS),
    ],
)
def test_a_provider_hears_of_its_own_notices_alone(roles: set[Role], heard: set[str]) -> None:
    caller = Caller(subject="s", roles=frozenset(roles), organisation="oak")
    assert watchable(caller, TOPICS) == heard


def test_too_many_organisations_are_announced_as_any() -> None:
    few = {"deliveries": 3, "notices:oak": 3}
    assert announced(few) == few
    many = {"board": 1} | {f"notices:o{number}": 1 for number in range(30)} | {f"stay:{n}": 1 for n in range(200)}
    assert announced(many) == {"board": 1, ANY_NOTICE: 30, "stay:*": 200}


def test_a_notice_is_told_part_by_part_and_empty_fields_are_left_out() -> None:
    notice = {
        "id": "n1", "event_type": "care.encounter.discharged.v1",
        "encounter": {
            "patient": {"name": "Ann Testa", "phones": ["555-0100", "555-0101"], "language": None},
            "treating": [{"role": "attending", "name": "Dr Lin", "npi": None}], "diagnoses": [], "deceased": False,
        },
        "task": None,
    }  # fmt: skip
    [(title, lines)] = told_parts(notice)
    assert title == "encounter"
    assert lines == [
        ("patient name", "Ann Testa"),
        ("patient phones", "555-0100, 555-0101"),
        ("treating 1 role", "attending"),
        ("treating 1 name", "Dr Lin"),
    ]
    assert told_parts({}) == []

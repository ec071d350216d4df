"""The pages of identity, rendered from what intake answers: names stand only where they were revealed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from services.dashboard.pages.page import make_templates

ENVIRONMENT = make_templates().env
PAIR: dict[str, Any] = {
    "id": "0192d5a0-0000-7000-8000-00000000beef",
    "one": "aaaaaa111111",
    "other": "bbbbbb222222",
    "state": "review",
    "grade": "probable",
    "score": 24.08,
    "probability": 0.97,
    "parts": [
        {"field": "birth_date", "level": "exact", "weight": 10.13},
        {"field": "sex", "level": "different", "weight": -3.29},
    ],
    "guards": ["twins"],
    "weights": "2026.1",
    "found_at": "2026-11-22T05:00:00+00:00",
    "version": 3,
    "decided_at": None,
    "decided_by": None,
    "note": None,
}
SIDE = {
    "patient": {
        "id": "aaaaaa111111", "name": {"family": "Marsh", "given": "Eleanor"}, "birth_date": "1948-02-14", "phones": [],
        "identifiers": [{"authority": "GENHOSP", "type": "MR", "value": "1001"}, {"authority": "US", "type": "SS", "value": "523456789"}],
    },
    "facilities": ["GENHOSP"], "stays": 1, "latest": None,
}  # fmt: skip


def render(name: str, **shown: Any) -> str:
    common: dict[str, Any] = {
        "caller": None, "here": "/identity", "navigation": [], "csrf": "c", "once": "o", "notice": None,
        "may_operate": True, "now": datetime(2026, 11, 22, tzinfo=UTC),
    }  # fmt: skip
    return str(ENVIRONMENT.get_template(name).render({**common, **shown}))


def test_a_pair_explains_its_score_and_names_nobody_until_revealed() -> None:
    page = render("pair.html", pair=PAIR, people=[])
    for shown in (
        "birth date",
        "+10.13",
        "-3.29",
        "twins",
        "Link them",
        "Not the same",
        "Later",
        "Reveal",
        'value="3"',
    ):
        assert shown in page, shown
    assert "Marsh" not in page
    revealed = render("pair.html", pair=PAIR, people=[SIDE, SIDE])
    assert "Marsh" in revealed
    assert "GENHOSP MR 1001" in revealed
    assert "523456789" not in revealed


@pytest.mark.parametrize("state", ["linked", "distinct"])
def test_what_was_decided_is_not_asked_again(state: str) -> None:
    assert "Link them" not in render("pair.html", pair=PAIR | {"state": state}, people=[])


def test_the_list_offers_what_can_be_decided() -> None:
    joined = {
        "id": "j", "retired": "aaaaaa111111", "survivor": "bbbbbb222222", "basis": "automatic-link", "joined_by": None,
        "joined_at": "2026-11-22T05:00:00+00:00", "stays": 2, "undone_at": None, "version": 1,
    }  # fmt: skip
    held = {
        "id": "m",
        "trigger": "A08",
        "feed": "lakeside",
        "patient_id": "aaaaaa111111",
        "version": 1,
        "received_at": "2026-11-22T05:00:00",
    }
    page = render(
        "identity.html", pairs={"items": [PAIR]}, joins={"items": [joined]}, overlays=[held], figures={"queued": 0},
        state="review", away=None,
    )  # fmt: skip
    for shown in ("Undo…", "Same person: apply it", "Another person: skip it", "24.1", "automatic-link"):
        assert shown in page, shown
    reader = render(
        "identity.html", pairs={"items": []}, joins={"items": [joined]}, overlays=[held], figures={}, state="review",
        away=None, may_operate=False,
    )  # fmt: skip
    assert "Undo…" not in reader
    assert "Decide" not in reader.replace("Decided", "")

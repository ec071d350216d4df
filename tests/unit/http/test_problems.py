"""Validation answers name the field and what it wants, and never say what was sent."""

from datetime import date
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from pydantic import Field, ValidationError, field_validator

from shared.http import Problem, StrictModel
from shared.http.problems import invalid

SENT = "Zebulon-555-12-3456"


class Colour(StrEnum):
    RED = "red"


class Form(StrictModel):
    number: int = 0
    small: int = Field(default=0, le=5)
    id: UUID | None = None
    day: date | None = None
    colour: Colour = Colour.RED
    short: str = Field(default="", max_length=3)
    shaped: str = Field(default="AB", pattern="^[A-Z]{2}$")
    checked: str = ""
    listed: tuple[int, ...] = ()
    truth: bool = False

    @field_validator("checked")
    @classmethod
    def _refuse(cls, value: str) -> str:
        raise ValueError(f"{value} is not known")


FIELDS = ["number", "small", "id", "day", "colour", "short", "shaped", "checked", "listed", "truth"]


@pytest.mark.parametrize("field", FIELDS)
def test_the_field_is_named_and_its_value_is_not(field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate({field: [SENT] if field == "listed" else SENT})
    document = invalid(caught.value.errors()).document()
    assert document["status"] == 422
    assert [entry["field"].split(".")[0] for entry in document["errors"]] == [field]
    assert all(entry["wants"] for entry in document["errors"])
    assert SENT not in str(document)
    assert SENT[:1] + "`" not in str(document)


def test_an_unknown_field_is_refused_by_name() -> None:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate({"role": "admin"})
    (entry,) = invalid(caught.value.errors()).document()["errors"]
    assert entry == {"field": "role", "kind": "extra_forbidden", "wants": "this field is not known here"}


def test_the_name_of_an_unknown_field_is_repeated_only_if_it_looks_like_one() -> None:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate({SENT: 1})
    (entry,) = invalid(caught.value.errors()).document()["errors"]
    assert entry["field"] == "(unknown)"


@pytest.mark.parametrize(
    ("problem", "document"),
    [
        (Problem(404), {"type": "urn:handoff:problem:not-found", "title": "Not Found", "status": 404}),
        (
            Problem(409, "Changed since", "look again", slug="stale", version=3),
            {
                "type": "urn:handoff:problem:stale",
                "title": "Changed since",
                "status": 409,
                "detail": "look again",
                "version": 3,
            },
        ),
    ],
)
def test_a_problem_is_a_document(problem: Problem, document: dict[str, Any]) -> None:
    assert problem.document() == document

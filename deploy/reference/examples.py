"""Invented values of every event type, made from the models alone: the same each time, nobody's data."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shared.events import Draft, Fact, headers_of

M = TypeVar("M", bound=BaseModel)
INSTANT = datetime(2026, 3, 2, 15, 5, tzinfo=UTC)
EXAMPLE_ID = UUID("0195571e-8f00-7000-8000-000000000001")
PATIENT = "0195571e-8f00-7000-8000-0000000000aa"
WORDS = {
    "family": "Example",
    "given": "Alex",
    "birth_date": "1948-02-14",
    "sex": "F",
    "time_zone": "America/Chicago",
    "npi": "1234567893",
    "phones": "+1-555-0100",
    "retired": "0195571e-8f00-7000-8000-0000000000bb",
    "survivor": PATIENT,
    "patient_id": PATIENT,
    "from_patient": "0195571e-8f00-7000-8000-0000000000bb",
    "subject": PATIENT,
    "topic": "care.encounters.v1",
    "source": "intake",
    "feed": "mercy",
    "authority": "MERCY",
    "value": "10023",
    "type": "MR",
    "code": "I50.9",
    "state": "IL",
    "language": "en",
    "status": "active",
    "version": "1",
}
SCALARS: dict[type, object] = {
    datetime: INSTANT,
    UUID: EXAMPLE_ID,
    bool: False,
    int: 1,
    float: 1.5,
    Decimal: Decimal("6.4"),
}


def example_of(fact: type[Fact]) -> str:
    """A value of this type with every property set, as JSON."""
    return full(fact).model_dump_json(exclude_none=True)


def least_of(fact: type[Fact]) -> str:
    """A value of this type with only what is required, as JSON."""
    return least(fact).model_dump_json(exclude_unset=True)


def headers_example(fact: type[Fact]) -> dict[str, str]:
    draft = Draft(
        fact=full(fact), subject=PATIENT, time=INSTANT, correlation_id=str(EXAMPLE_ID), causation_id=str(EXAMPLE_ID),
        version=1, id=EXAMPLE_ID,
    )  # fmt: skip
    said = headers_of(draft, source="intake", sequence=1, epoch=1, recorded=INSTANT)
    return {name: value.decode() for name, value in said}


def full(model: type[M]) -> M:
    return _made(model, lambda _field: True)


def least(model: type[M]) -> M:
    return _made(model, FieldInfo.is_required)


def _made(model: type[M], wanted: Callable[[FieldInfo], bool]) -> M:
    model.model_rebuild()  # a model that names a later one knows it only now
    fields = {name: field for name, field in model.model_fields.items() if wanted(field)}
    return model(**{name: _value(name, field.annotation, wanted) for name, field in fields.items()})


def _value(name: str, annotation: Any, wanted: Callable[[FieldInfo], bool]) -> object:
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return _value(name, next(one for one in get_args(annotation) if one is not NoneType), wanted)
    if origin is tuple:
        return (_value(name, get_args(annotation)[0], wanted),)
    if origin in (dict, Mapping):
        of_any = get_args(annotation)[1] is object
        return (
            {"id": str(EXAMPLE_ID)}
            if of_any
            else {name.removesuffix("s"): _value(name, get_args(annotation)[1], wanted)}
        )
    if issubclass(annotation, BaseModel):
        return _made(annotation, wanted)
    if issubclass(annotation, Enum):
        return next(iter(annotation))
    return SCALARS[annotation] if annotation in SCALARS else WORDS.get(name, name.replace("_", "-"))

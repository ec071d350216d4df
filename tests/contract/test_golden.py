"""Values that were written once must be understood for good: old files are never written again."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from deploy.reference.schemas import schema_of
from shared.events import BY_TYPE

GOLDEN = Path(__file__).parent / "golden"


def values(name: str) -> list[str]:
    file = GOLDEN / f"{name}.jsonl"
    assert file.exists(), f"{name} was never published: python -m deploy.reference --publish VERSION keeps values of it"
    return file.read_text().splitlines()


def lost(old: Any, new: Any, path: str = "") -> list[str]:
    """Where what the old value says is missing from the new one, or said otherwise."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [place for name in old for place in lost(old[name], new.get(name), f"{path}.{name}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            place for i, (was, now) in enumerate(zip(old, new, strict=True)) for place in lost(was, now, f"{path}[{i}]")
        ]
    return [] if old == new else [path]


@pytest.mark.parametrize("name", BY_TYPE)
def test_old_values_are_understood_in_full(name: str) -> None:
    for value in values(name):
        fact = BY_TYPE[name].model_validate_json(value)
        assert lost(json.loads(value), json.loads(fact.model_dump_json())) == []


@pytest.mark.parametrize("name", BY_TYPE)
def test_old_values_fit_the_schema_of_today(name: str) -> None:
    validator = jsonschema.Draft202012Validator(schema_of(BY_TYPE[name]))
    for value in values(name):
        assert [error.json_path for error in validator.iter_errors(json.loads(value))] == []


@pytest.mark.parametrize("name", BY_TYPE)
def test_a_newer_writer_is_understood(name: str) -> None:
    newer = json.loads(values(name)[0]) | {"not_known_yet": {"by": "this reader"}}
    assert BY_TYPE[name].model_validate_json(json.dumps(newer)) == BY_TYPE[name].model_validate_json(values(name)[0])


def test_no_golden_value_is_of_a_type_that_is_gone() -> None:
    assert {path.stem for path in GOLDEN.glob("*.jsonl")} == set(BY_TYPE)

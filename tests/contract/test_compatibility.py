"""The gate: the contract of today against every published one, and the gate itself against a table of changes."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.reference.compatibility import breaches
from deploy.reference.publishing import AlreadyPublishedError, contract, publish

PUBLISHED = sorted((Path(__file__).parent / "published").glob("*.json"))
Document = dict[str, Any]
Change = Callable[[Document], object]

# What is changed below: a stay with a nested place, a list, a map, a choice and bounds.
STAY: Document = {
    "headers": {"type": "object", "properties": {"ce_id": {"type": "string"}}, "required": ["ce_id"]},
    "types": {
        "care.stay.begun.v1": {"topic": "care.stays.v1", "schema": {"$ref": "#/$defs/Begun"}},
        "care.stay.ended.v1": {"topic": "care.stays.v1", "schema": {"$ref": "#/$defs/Begun"}},
    },
    "$defs": {
        "Status": {"type": "string", "enum": ["planned", "open"]},
        "Place": {
            "type": "object",
            "properties": {"ward": {"type": "string"}, "bed": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
            "required": ["ward"],
        },
        "Begun": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "status": {"$ref": "#/$defs/Status"},
                "place": {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}]},
                "moves": {"type": "array", "items": {"$ref": "#/$defs/Place"}},
                "days": {"type": "integer", "minimum": 0, "maximum": 400},
                "weight": {"type": "number"},
                "note": {"type": "string", "maxLength": 200},
                "codes": {"type": "object", "additionalProperties": {"type": "integer"}},
            },
            "required": ["id", "status"],
        },
    },
}


def begun(document: Document) -> Document:
    found: Document = document["$defs"]["Begun"]
    return found


def of(name: str, **said: object) -> Change:
    """Sets keywords of a property of the stay."""
    return lambda document: begun(document)["properties"][name].update(said)


def instead(name: str, schema: Document) -> Change:
    return lambda document: begun(document)["properties"].update({name: schema})


BREAKING: dict[str, Change] = {
    "a type removed": lambda d: d["types"].pop("care.stay.ended.v1"),
    "a type renamed": lambda d: d["types"].update({"care.stay.over.v1": d["types"].pop("care.stay.ended.v1")}),
    "a type moved to another topic": lambda d: d["types"]["care.stay.ended.v1"].update(topic="care.other.v1"),
    "a required property removed": lambda d: begun(d)["properties"].pop("id"),
    "an optional property removed": lambda d: begun(d)["properties"].pop("note"),
    "a property renamed": lambda d: begun(d)["properties"].update(remark=begun(d)["properties"].pop("note")),
    "a new required property": lambda d: (
        begun(d)["properties"].update(ward={"type": "string"}),
        begun(d)["required"].append("ward"),
    ),
    "an optional property made required": lambda d: begun(d)["required"].append("note"),
    "a required property made optional": lambda d: begun(d)["required"].remove("status"),
    "an enum value removed": lambda d: d["$defs"]["Status"]["enum"].remove("planned"),
    "an enum value renamed": lambda d: d["$defs"]["Status"].update(enum=["planned", "opened"]),
    "a list of values where any was taken": of("note", enum=["well", "unwell"]),
    "one constant where any was taken": of("note", const="well"),
    "a text that becomes a number": of("note", type="integer"),
    "a number that becomes whole": of("weight", type="integer"),
    "a format where any text was taken": of("note", format="date-time"),
    "another format": of("id", format="date-time"),
    "a pattern where any text was taken": of("note", pattern="^[a-z]+$"),
    "a lower bound raised": of("days", minimum=1),
    "an upper bound lowered": of("days", maximum=365),
    "a shorter text": of("note", maxLength=100),
    "a shortest text": of("note", minLength=1),
    "null no longer taken": instead("place", {"$ref": "#/$defs/Place"}),
    "an object that becomes a list": instead("place", {"type": "array", "items": {"$ref": "#/$defs/Place"}}),
    "narrower items of a list": instead("moves", {"type": "array", "items": {"type": "string"}}),
    "narrower values of a map": of("codes", additionalProperties={"type": "integer", "minimum": 1}),
    "a required property in a nested object": lambda d: d["$defs"]["Place"]["required"].append("bed"),
    "a property of a nested object removed": lambda d: d["$defs"]["Place"]["properties"].pop("bed"),
    "an object that is closed": lambda d: begun(d).update(additionalProperties=False),
    "a new header that must be there": lambda d: (
        d["headers"]["properties"].update(ce_zone={"type": "string"}),
        d["headers"]["required"].append("ce_zone"),
    ),
    "a header removed": lambda d: d["headers"]["properties"].pop("ce_id"),
}
HARMLESS: dict[str, Change] = {
    "nothing": lambda _d: None,
    "a new type": lambda d: d["types"].update({"care.stay.moved.v1": d["types"]["care.stay.ended.v1"]}),
    "a new optional property": instead("ward", {"type": "string"}),
    "a new optional property of a nested object": lambda d: d["$defs"]["Place"]["properties"].update(
        room={"anyOf": [{"type": "string"}, {"type": "null"}]}
    ),
    "a new optional header": lambda d: d["headers"]["properties"].update(ce_zone={"type": "string"}),
    "an enum value added": lambda d: d["$defs"]["Status"]["enum"].append("closed"),
    "a list of values opened": lambda d: d["$defs"]["Status"].pop("enum"),
    "a whole number that becomes any number": of("days", type="number"),
    "null taken too": instead("weight", {"anyOf": [{"type": "number"}, {"type": "null"}]}),
    "another type taken too": instead("weight", {"anyOf": [{"type": "string"}, {"type": "number"}]}),
    "types as a list": instead("weight", {"type": ["null", "number"]}),
    "bounds widened": of("days", minimum=-1, maximum=1000),
    "a bound gone": lambda d: begun(d)["properties"]["note"].pop("maxLength"),
    "a format gone": lambda d: begun(d)["properties"]["id"].pop("format"),
    "other words": of("note", title="Remark", description="What was said."),
    "another default": of("note", default="none"),
    "a definition renamed": lambda d: (
        d["$defs"].update(Spot=d["$defs"]["Place"]),
        instead("moves", {"type": "array", "items": {"$ref": "#/$defs/Spot"}})(d),
    ),
    "a definition written out": lambda d: instead("status", d["$defs"]["Status"])(d),
}


@pytest.mark.parametrize("name", BREAKING)
def test_a_breaking_change_is_refused(name: str) -> None:
    changed = copy.deepcopy(STAY)
    BREAKING[name](changed)
    assert breaches(STAY, changed)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_change_passes(name: str) -> None:
    changed = copy.deepcopy(STAY)
    HARMLESS[name](changed)
    assert breaches(STAY, changed) == []


def test_a_breach_names_the_place() -> None:
    changed = copy.deepcopy(STAY)
    changed["$defs"]["Place"]["properties"].pop("bed")
    assert {(one.path, one.why) for one in breaches(STAY, changed)} == {
        (f"care.stay.{which}.v1.moves[].bed", "was removed, and readers rely on it") for which in ("begun", "ended")
    }


def test_a_model_that_holds_itself_is_compared_to_the_end() -> None:
    nested = copy.deepcopy(STAY)
    nested["$defs"]["Place"]["properties"]["within"] = {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}]}
    changed = copy.deepcopy(nested)
    assert breaches(nested, changed) == []
    changed["$defs"]["Place"]["properties"].pop("ward")
    assert breaches(nested, changed)


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda path: f"version {path.stem}")
def test_today_breaks_no_published_version(published: Path) -> None:
    found = breaches(json.loads(published.read_text()), contract())
    assert found == [], "\n".join(f"{one.path}: {one.why}" for one in found)


def test_something_is_published() -> None:
    assert PUBLISHED


def test_a_published_version_is_never_written_again(tmp_path: Path) -> None:
    publish(tmp_path, "1")
    with pytest.raises(AlreadyPublishedError, match=r"1\.json"):
        publish(tmp_path, "1")

"""docs/asyncapi.yaml: the published contract as AsyncAPI 3.0 (channels, messages, who sends and who receives)."""

import json
from typing import Any

import yaml

from deploy.reference.examples import headers_example, least_of
from deploy.reference.routes import ROUTES, Route, address_of
from deploy.reference.schemas import HEADERS_FILE
from shared.events import FACTS, Fact

CONTRACT_VERSION = "1.0.0"
DESCRIPTION = (
    "Every event that Handoff says or hears. CloudEvents 1.0 in binary mode: attributes are the headers `ce_*`, the"
    " value is JSON. The record's key is the subject. Order holds per key within a topic, never between topics;"
    " a reader that keeps the last `ce_patientsequence` per (source, epoch, topic, subject) sees duplicates and gaps by"
    " itself."
)


def asyncapi_file() -> str:
    return yaml.safe_dump(document(), sort_keys=False, allow_unicode=True, width=120)


def document() -> dict[str, Any]:
    said = {route: [fact for fact in FACTS if address_of(fact) == route.address] for route in ROUTES}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Handoff events",
            "version": CONTRACT_VERSION,
            "description": DESCRIPTION,
        },
        "defaultContentType": "application/json",
        "channels": {route.name: _channel(route, facts) for route, facts in said.items()},
        "operations": {name: operation for route in ROUTES for name, operation in _operations(route)},
        "components": {
            "messages": {fact.__name__: _message(fact) for fact in FACTS},
            "messageTraits": {"event": {"headers": _schema(HEADERS_FILE), "contentType": "application/json"}},
        },
    }


def _channel(route: Route, facts: list[type[Fact]]) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": route.address,
        "description": route.about,
        "messages": {fact.__name__: {"$ref": f"#/components/messages/{fact.__name__}"} for fact in facts},
        "bindings": {"kafka": {"partitions": route.partitions}},
    }
    if "{organisation}" in route.address:
        channel["parameters"] = {"organisation": {"description": "Slug of the organisation in the roster."}}
    return channel


def _operations(route: Route) -> list[tuple[str, dict[str, Any]]]:
    channel = {"$ref": f"#/channels/{route.name}"}
    says = [(f"{who}.says.{route.name}", "send", who) for who in route.says]
    hears = [(f"{who}.hears.{route.name}", "receive", who) for who in route.hears]
    return [
        (name, {"action": action, "channel": channel, "summary": f"{who} {name.split('.')[1]} {route.address}"})
        for name, action, who in says + hears
    ]


def _message(fact: type[Fact]) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": fact.TYPE,
        "title": fact.__name__,
        "traits": [{"$ref": "#/components/messageTraits/event"}],
        "payload": _schema(f"{fact.TYPE}.json"),
        "examples": [{"name": "invented", "headers": headers_example(fact), "payload": json.loads(least_of(fact))}],
    }
    meaning = own_docstring(fact)
    return message | ({"description": meaning} if meaning else {})


def own_docstring(fact: type[Fact]) -> str | None:
    """The class's own words, joined to one line; none is inherited."""
    text = fact.__dict__.get("__doc__")
    return " ".join(text.split()) if text else None


def _schema(file: str) -> dict[str, str]:
    return {"$ref": f"./schemas/{file}"}

"""JSON Schemas of the event values (draft 2020-12) and of the headers around them."""

import json
from pathlib import Path
from typing import Any

from shared.events import FACTS, Fact
from shared.events.envelope import FLAGS, SEQUENCE_DIGITS

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
HEADERS_FILE = "headers.json"

UUID_TEXT = {"type": "string", "format": "uuid"}
INSTANT = {"type": "string", "format": "date-time"}
HEADERS: dict[str, Schema] = {
    "ce_specversion": {"type": "string", "const": "1.0", "description": "CloudEvents version."},
    "ce_id": {**UUID_TEXT, "description": "UUIDv7 of the event."},
    "ce_type": {"type": "string", "description": "Type of the event, with the version of its contract."},
    "ce_source": {"type": "string", "pattern": "^/handoff/[a-z]+$", "description": "The service that says it."},
    "ce_subject": {"type": "string", "description": "Opaque id of the patient (or feed): also the record's key."},
    "ce_time": {**INSTANT, "description": "When it happened (UTC)."},
    "ce_recorded": {**INSTANT, "description": "When it was written down (UTC, the database's clock)."},
    "ce_patientsequence": {
        "type": "string",
        "pattern": f"^[0-9]{{{SEQUENCE_DIGITS}}}$",
        "description": "Gap-free per (source, epoch, topic, subject), from 1, zero-padded so that it sorts as text.",
    },
    "ce_epoch": {
        "type": "string",
        "pattern": "^[0-9]+$",
        "description": "Rises when the source's database was restored from a backup: sequences then start anew.",
    },
    "ce_correlationid": {"type": "string", "description": "The stay or transition that it belongs to."},
    "ce_causationid": {"type": "string", "description": "The message or event that caused it."},
    "ce_aggregateversion": {"type": "string", "pattern": "^[0-9]+$", "description": "Aggregate's version after it."},
    "content-type": {"type": "string", "const": "application/json", "description": "Media type of the value."},
    "ce_traceparent": {"type": "string", "description": "W3C trace context, where there is one."},
    "ce_aftersubject": {"type": "string", "description": "Merges: takes effect only after this subject has reached …"},
    "ce_aftersequence": {"type": "string", "pattern": "^[0-9]+$", "description": "… this sequence."},
}
OPTIONAL = ("ce_traceparent", "ce_aftersubject", "ce_aftersequence")
FLAG_MEANINGS = {
    "late": "The message came after a later one of the same stay.",
    "inferred": "No message said it; it follows from one that did.",
    "derived": "Made by a rule from other events.",
    "historical": "Old news, seen for the first time: no notices, no ladder.",
    "snapshot": "The state told again for a rebuild; nothing happened.",
}


def headers_schema() -> Schema:
    flags = {f"ce_{flag}": {"type": "string", "const": "true", "description": FLAG_MEANINGS[flag]} for flag in FLAGS}
    return {
        "$schema": DRAFT,
        "title": "Headers of every event",
        "type": "object",
        "properties": HEADERS | flags,
        "required": [name for name in HEADERS if name not in OPTIONAL],
    }


def schema_of(fact: type[Fact]) -> Schema:
    """As it is written. Properties that are None are left out of a value; unknown ones are ignored by readers."""
    schema = fact.model_json_schema(mode="serialization")
    return {"$schema": DRAFT, **schema, "title": fact.TYPE}


def schema_files(folder: Path) -> dict[Path, str]:
    wanted = {f"{fact.TYPE}.json": schema_of(fact) for fact in FACTS} | {HEADERS_FILE: headers_schema()}
    return {folder / name: as_json(schema) for name, schema in wanted.items()}


def as_json(document: object) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

"""Published versions of the contract: kept for good, so that no later one can break whoever relies on them."""

from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from deploy.reference.examples import example_of, least_of
from deploy.reference.routes import address_of
from deploy.reference.schemas import as_json, headers_schema
from shared.events import FACTS


class AlreadyPublishedError(Exception):
    """A published version is never written again."""


def contract() -> dict[str, Any]:
    """The whole contract as one document: the topic and schema of each type, the headers, shared definitions once."""
    places, shared = models_json_schema([(fact, "serialization") for fact in FACTS])
    return {
        "headers": headers_schema(),
        "types": {fact.TYPE: {"topic": address_of(fact), "schema": places[fact, "serialization"]} for fact in FACTS},
        "$defs": shared["$defs"],
    }


def publish(folder: Path, version: str) -> list[Path]:
    """Keeps the contract as `published/<version>.json`, and golden values of types that have none yet.

    Raises AlreadyPublishedError when that version stands already.
    """
    kept = folder / "published" / f"{version}.json"
    if kept.exists():
        raise AlreadyPublishedError(f"{kept.name} stands already: publish under a new version")
    wanted = {kept: as_json(contract())}
    for fact in FACTS:
        golden = folder / "golden" / f"{fact.TYPE}.jsonl"
        if not golden.exists():
            wanted[golden] = f"{example_of(fact)}\n{least_of(fact)}\n"
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(wanted)

"""What every reader of a single resource needs: feed, references, times, the place among its corrections."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.intake.context import sortable
from services.intake.feeds import Feed
from services.intake.fhir import people
from services.intake.fhir.codes import NPI
from services.intake.fhir.graph import Graph, logical_id
from services.intake.fhir.resources import BusinessIdentifier, Practitioner, Reference, Resource
from services.intake.fhir.times import Moments
from services.intake.message import OrderKey
from services.intake.statement import Statement
from shared.events.people import Identifier


@dataclass(frozen=True, slots=True)
class Told:
    """What a resource says: of whom, of which stay, and the statements."""

    subject: Reference | None
    encounter: Reference | None
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Telling:
    feed: Feed
    graph: Graph
    moments: Moments
    written: datetime
    """When the sender wrote it: meta.lastUpdated or Bundle.timestamp; else when it arrived."""
    control_id: str
    digest: str

    def order(self, rank: int) -> OrderKey:
        at = sortable(self.written)
        return OrderKey(at, at, rank, self.control_id, self.digest)

    def instant(self, name: str, text: str | None, *, past: bool = False) -> datetime | None:
        read = self.moments.read_past if past else self.moments.read_planned
        moment = read(name, text)
        return moment.at if moment else None

    def identifier(
        self, numbers: tuple[BusinessIdentifier, ...], resource: Resource | None, kind: str
    ) -> Identifier | None:
        """The first business identifier, by which HL7 v2 may speak of the same thing; else the resource's own id."""
        said = next((one for one in numbers if one.value), None)
        if said and said.value:
            authority = people.authority_of(said.system, self.feed)
            return Identifier(authority=authority, type=kind, value=said.value.strip())
        return self._logical(resource.id if resource else None, kind)

    def referred(self, reference: Reference | None, kind: str) -> Identifier | None:
        """The thing that a reference means, by the same rule."""
        if reference is None:
            return None
        numbers: tuple[BusinessIdentifier, ...] = (reference.identifier,) if reference.identifier else ()
        sent = self.graph.find(reference)
        if not numbers and sent:
            listed = sent.content.get("identifier")
            said = listed if isinstance(listed, list) else []
            numbers = tuple(BusinessIdentifier.model_validate(one) for one in said if isinstance(one, dict))
        return self.identifier(numbers, None, kind) or self._logical(logical_id(reference), kind)

    def _logical(self, number: str | None, kind: str) -> Identifier | None:
        return Identifier(authority=f"{self.feed.name} FHIR", type=kind, value=number) if number else None

    def provider(self, reference: Reference | None) -> tuple[str | None, str | None]:
        """Name and NPI of whom a reference means."""
        if reference is None:
            return None, None
        sent = self.graph.get(reference, Practitioner)
        numbers = [*(sent.identifier if sent else ()), *([reference.identifier] if reference.identifier else [])]
        name: dict[str, Any] = (people.name_of(sent.name) if sent else None) or {}
        shown = " ".join(name[part] for part in ("given", "middle", "family", "suffix") if part in name)
        npi = next((one.value for one in numbers if one.system == NPI and one.value), None)
        return shown or reference.display, npi


def known_only(values: dict[str, Any]) -> dict[str, Any]:
    """What is not said is no change."""
    return {name: value for name, value in values.items() if value is not None}

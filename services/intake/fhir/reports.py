"""DiagnosticReport as ORU is read: what its results say, and what it says itself."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

from pydantic import Field

from services.intake.fhir.codes import CODE_SYSTEMS
from services.intake.fhir.followups import Observation, has_value, observations, required
from services.intake.fhir.graph import Found, Graph, Issue, UnreadableError, logical_id, read_resource
from services.intake.fhir.resources import BusinessIdentifier, Concept, DateTime, Period, Reference, Resource, Several
from services.intake.fhir.telling import Telling, Told
from services.intake.statement import About, Statement
from shared.events.people import Identifier

# As those of Observation: HL7 table 0085, and of two words of the same moment the later stage counts.
_STATUSES: Mapping[str, tuple[str, int]] = {
    "registered": ("I", 0),
    "unknown": ("I", 0),
    "partial": ("P", 1),
    "preliminary": ("P", 1),
    "final": ("F", 2),
    "amended": ("C", 3),
    "corrected": ("C", 3),
    "appended": ("C", 3),
    "cancelled": ("X", 4),
    "entered-in-error": ("W", 4),
}
LONGEST_TEXT = 8_000
"""As of OBX-5."""


class DiagnosticReport(Resource):
    resource_type: Literal["DiagnosticReport"] = Field(alias="resourceType")
    identifier: Several[BusinessIdentifier] = ()
    status: Literal[
        "registered", "partial", "preliminary", "final", "amended", "corrected", "appended", "cancelled",
        "entered-in-error", "unknown",
    ]  # fmt: skip
    code: Concept
    subject: Reference | None = None
    encounter: Reference | None = None
    effective: DateTime | None = Field(default=None, alias="effectiveDateTime")
    effective_period: Period = Field(default=Period(), alias="effectivePeriod")
    issued: DateTime | None = None
    based_on: Several[Reference] = Field(default=(), alias="basedOn")
    performer: Several[Reference] = ()
    result: tuple[Reference, ...] = ()
    conclusion: str | None = None
    conclusion_code: Several[Concept] = Field(default=(), alias="conclusionCode")

    @property
    def text(self) -> str | None:
        """What it comes to, in words."""
        words = self.conclusion or "; ".join(one.words for one in self.conclusion_code if one.words)
        return words[:LONGEST_TEXT] or None


def read_report(found: Found, telling: Telling) -> Told:
    """Results that are sent along count one by one, panels by their members. The report itself counts where it
    concludes something, or where nothing else tells that there is a result.
    """
    sent = read_resource(found, DiagnosticReport)
    number = required(found, telling.identifier(sent.identifier, sent, "OBX"))
    ordered = telling.referred(next(iter(sent.based_on), None), "ORDER")
    results = list(_statements(sent, number, telling))
    if ordered:
        results = [_of_order(one, ordered) for one in results]
    own = () if results and sent.text is None else (_own(sent, number, ordered, telling),)
    return Told(sent.subject, sent.encounter, (*results, *own))


def _own(sent: DiagnosticReport, number: Identifier, ordered: Identifier | None, telling: Telling) -> Statement:
    status, stage = _STATUSES[sent.status]
    at = sent.effective or sent.effective_period.end or sent.effective_period.start
    observed = telling.instant("DiagnosticReport.effective", at, past=True)
    issued = telling.instant("DiagnosticReport.issued", sent.issued, past=True)
    system = sent.code.first.system
    said = {
        "status": status,
        "code": sent.code.first.code or sent.code.text or "",
        "name": sent.code.words,
        "system": CODE_SYSTEMS.get(system or "", system),
        "text": sent.text,
        "observed_at": observed.isoformat() if observed else None,
        "actor": telling.provider(next(iter(sent.performer), None))[0],
        "order": ordered.model_dump() if ordered else None,
    }
    return Statement(
        about=About.OBSERVATION,
        identifier=number,
        order=telling.order(stage),
        occurred=observed or issued or telling.written,
        said=said,
    )


def _statements(sent: DiagnosticReport, number: Identifier, telling: Telling) -> Iterator[Statement]:
    told = [
        (found, result)
        for found, result in _results(sent.result, telling.graph, set())
        if has_value(result) or result.component or not result.has_member
    ]
    codes = Counter(_code(result) for _, result in told)
    for place, (found, result) in enumerate(told):
        _check_subject(found, result, sent.subject, telling.graph)
        is_contained = ".contained[" in found.path
        # What is contained has an id within its report alone, so the report's number and the code say which it is.
        own = None if is_contained and not result.identifier else telling.identifier(result.identifier, result, "OBX")
        code = _code(result)
        nth = f"|{result.id or place}" if codes[code] > 1 else ""
        known_as = own or number.model_copy(update={"value": f"{number.value}|{code}{nth}"})
        is_wrong = is_contained and sent.status == "entered-in-error"
        as_said = result.model_copy(update={"status": sent.status}) if is_wrong else result
        yield from observations(as_said, known_as, telling)


def _results(references: Iterable[Reference], graph: Graph, seen: set[str]) -> Iterator[tuple[Found, Observation]]:
    """Those that were sent along, each once, panels before their members."""
    for reference in references:
        found = graph.find(reference)
        if found is None or found.type != "Observation" or found.path in seen:
            continue
        seen.add(found.path)
        result = read_resource(found, Observation)
        yield found, result
        yield from _results(result.has_member, graph, seen)


def _code(result: Observation) -> str:
    return result.code.first.code or result.code.text or ""


def _of_order(statement: Statement, ordered: Identifier) -> Statement:
    """A result that names no order of its own answers the report's."""
    if statement.said.get("order"):
        return statement
    return replace(statement, said={**statement.said, "order": ordered.model_dump()})


def _check_subject(found: Found, result: Observation, subject: Reference | None, graph: Graph) -> None:
    """A result of another patient in the report is somebody's mistake: nobody's chart gets either."""
    own = result.subject
    if own is None or subject is None or not (own.reference or own.identifier):
        return
    sent = graph.find(own)
    is_same = (
        (own.reference is not None and own.reference == subject.reference)
        or (sent is not None and sent == graph.find(subject))
        or (own.identifier is not None and own.identifier == subject.identifier)
        or (logical_id(own) is not None and logical_id(own) == logical_id(subject))
    )
    if not is_same:
        raise UnreadableError([Issue("error", "invalid", f"{found.path}.subject", "is not the report's patient")])

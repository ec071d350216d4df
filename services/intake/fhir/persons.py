"""A Patient in focus, and the `$merge` of two: what HL7 v2 says by A28 to A31, A40 and A24.

`link` says who is who: `replaced-by` retires this record, `replaces` the other one, `seealso` says that two records are
linked and none retires (domain: Patient.link of FHIR R4; `$merge` of R5 and later).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from services.intake.codes import NO_IDENTITY
from services.intake.context import sortable
from services.intake.feeds import Feed
from services.intake.fhir import people
from services.intake.fhir.graph import Found, Graph, Issue, UnreadableError, read_resource
from services.intake.fhir.resources import Parameters, Patient, Reference
from services.intake.message import AdtMessage, OrderKey, Said
from services.intake.triggers import LINKS, MERGES, PATIENT_ONLY, RANKS
from shared.events.people import Identifier

MERGE, LINK, UPDATE, DELETE = "A40", "A24", "A31", "A29"
Numbers = tuple[Identifier, ...]


class Written:
    """When and under which number a request was written, for the order of what it says."""

    def __init__(self, at: datetime, control_id: str, digest: str) -> None:
        self.at, self._control_id, self._digest = at, control_id, digest

    def message(self, trigger: str, identifiers: Numbers, said: Said, retired: Numbers = ()) -> AdtMessage:
        stamp = sortable(self.at)
        return AdtMessage(
            trigger=trigger,
            order=OrderKey(stamp, stamp, RANKS[trigger], self._control_id, self._digest),
            occurred=self.at,
            identifiers=identifiers,
            demographics=said,
            visit=None,
            fact=None,
            retired=retired,
        )


def read_patient(
    focus: Found, reference: Reference | None, graph: Graph, feed: Feed, event: str, written: Written
) -> AdtMessage:
    """What the resource says of its patient, and of those it replaces or is replaced by. Raises UnreadableError."""
    patient = read_resource(focus, Patient)
    own = _assigned(people.identifiers(patient, reference, feed), f"{focus.path}.identifier")
    said = people.demographics(patient, own, feed)
    parts = list(_links(patient, own, said, focus, graph, feed, written))
    if parts:
        return replace(parts[0], others=tuple(parts[1:]))
    trigger = event.upper().replace("-", "^").rpartition("^")[2]
    if trigger in {*MERGES, *LINKS}:
        raise UnreadableError([Issue("error", "required", f"{focus.path}.link", "says which record goes on")])
    if trigger not in PATIENT_ONLY:
        trigger = DELETE if patient.active is False else UPDATE
    standing = {} if patient.active is None and trigger != DELETE else {"is_active": trigger != DELETE}
    return written.message(trigger, own, {**said, **standing})


def _links(
    patient: Patient, own: Numbers, said: Said, focus: Found, graph: Graph, feed: Feed, written: Written
) -> Iterator[AdtMessage]:
    linked: list[AdtMessage] = []
    for number, link in enumerate(patient.link):
        if link.type == "refer":
            continue
        sent = graph.get(link.other, Patient)
        other = _assigned(people.identifiers(sent, link.other, feed), f"{focus.path}.link[{number}].other")
        others = people.demographics(sent, other, feed) if sent else {}
        match link.type:
            case "replaced-by":
                yield written.message(MERGE, other, others, _like(other, own))
            case "replaces":
                yield written.message(MERGE, own, said, _like(own, other))
            case _:
                linked.append(written.message(LINK, other, others))
    if linked:
        yield written.message(LINK, own, said)
        yield linked[0]  # a link has two ends


def read_merge(focus: Found, feed: Feed, written: Written) -> AdtMessage:
    """`$merge`: the source retires, the target goes on. Raises UnreadableError."""
    asked = read_resource(focus, Parameters)
    if any(one.flag for one in asked.named("preview")):
        raise UnreadableError([Issue("error", "not-supported", f"{focus.path}.parameter", "preview is not taken here")])
    source, target = (_named(asked, who, focus, feed) for who in ("source", "target"))
    results = [one.resource for one in asked.named("result-patient") if one.resource]
    said: dict[str, Any] = {}
    if results:
        result = read_resource(Found(results[0], f"{focus.path}.parameter.resource"), Patient)
        said = people.demographics(result, target, feed)
    return written.message(MERGE, target, said, _like(target, source))


def _named(asked: Parameters, who: str, focus: Found, feed: Feed) -> Numbers:
    """All by which the source or the target is named: a reference, identifiers, or both."""
    references = [one.reference for one in asked.named(f"{who}-patient") if one.reference]
    numbers = [one.identifier for one in asked.named(f"{who}-patient-identifier") if one.identifier]
    references += [Reference(identifier=number) for number in numbers]
    found = [one for reference in references for one in people.identifiers(None, reference, feed)]
    return _assigned(tuple(dict.fromkeys(found)), f"{focus.path}.parameter")


def _assigned(found: Numbers, place: str) -> Numbers:
    if not found or found[0].type in NO_IDENTITY:
        raise UnreadableError([Issue("error", "required", place, "names no patient with an identifier")])
    return found


def _like(survivor: Sequence[Identifier], retired: Numbers) -> Numbers:
    """The retired numbers, one of the survivor's own kind first: it stands for the record that retires."""
    kind = (survivor[0].authority, survivor[0].type)
    return tuple(sorted(retired, key=lambda one: (one.authority, one.type) != kind))

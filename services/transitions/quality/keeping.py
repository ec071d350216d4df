"""Keeping the deeds that measures count and that no task waits for: who was told of an admission, for one."""

from collections.abc import Sequence

from services.transitions.evidence import evidence_in
from services.transitions.evidence_details import details_of, says_more_of_a_visit
from services.transitions.protocols import Library
from services.transitions.quality.measures import Measures
from services.transitions.store import following
from shared.events import AnyEvent, Fact
from shared.postgres import Transaction


async def keep_deeds(tx: Transaction, measures: Measures, library: Library, events: Sequence[AnyEvent]) -> None:
    """Keeps them beside the tasks' evidence, without following the patient: nothing is settled by them."""
    asked = [
        event
        for event in events
        if event.type in measures.heard
        and not event.snapshot
        and measures_count(measures, event.fact)
        and not library.waits_for(event.fact)
    ]
    if not asked:
        return
    survivors = await tx.lock({event.subject for event in asked})
    found = (evidence_in(event, survivors[event.subject]) for event in asked)
    await following.keep_evidence(tx.connection, [deed for deed in found if deed is not None])


def measures_count(measures: Measures, fact: Fact) -> bool:
    """Whether some measure counts such a deed, or an attempt at it, or it takes one back."""
    if fact.TYPE in measures.heard_always or says_more_of_a_visit(fact):
        return True
    asked = [rule for rule in measures.deeds if rule.event == fact.TYPE]
    details = details_of(fact) if asked else {}
    return any(rule.says(details) for rule in asked)

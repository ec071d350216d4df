"""Messages that touch more than the patients and visits they name: each kind has a rule, in the table TAKEN_BY.

A message is committed in a group of its own, so that what it finds in the store is what stands.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from services.intake import linking, merging, moving, renumbering
from services.intake.arrival import Arrival
from services.intake.chart import Chart, Effect
from services.intake.message import AdtMessage, Outcome
from services.intake.triggers import ACCOUNT_CHANGES, LINKS, MERGES, MOVES, VISIT_CHANGES
from shared.postgres import Transaction

Taking = Callable[[Transaction, Chart, Arrival, AdtMessage, Sequence[str]], Awaitable[Effect]]

TAKEN_BY: Mapping[str, Taking] = {
    **dict.fromkeys(MERGES, merging.merge),
    **dict.fromkeys(MOVES, moving.move),
    **dict.fromkeys(ACCOUNT_CHANGES, moving.change_account),
    **dict.fromkeys(VISIT_CHANGES, renumbering.renumber),
}


async def take(tx: Transaction, chart: Chart, arrival: Arrival, records: Sequence[str]) -> Effect:
    """`records` are those of the named identifiers: of each part, its patient's, then that of the retired number."""
    if arrival.adt is None:
        raise ValueError("the message has nothing to apply")
    if arrival.adt.trigger in LINKS:
        return await linking.link(tx, chart, arrival, records)
    effects: list[Effect] = []
    rest = list(records)
    for part in arrival.adt.parts:
        named = [rest.pop(0) for _ in range(2 if part.retired else 1)]
        effects.append(await TAKEN_BY[part.trigger](tx, chart, arrival, part, named))
    first = next((effect for effect in effects if effect.verdict.outcome is not Outcome.ACCEPTED), effects[0])
    first.drafts = [draft for effect in effects for draft in effect.drafts]
    return first

"""Which record an identifier stands for. Never changes (merges are said elsewhere), so it may be kept. Pure."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import uuid4

from services.intake.person import assigned
from shared.events.people import Identifier

KEPT = 20_000


class Proposal(NamedTuple):
    """Identifiers of one person in the order of preference, and the record to start if nobody knows any of them."""

    identifiers: Sequence[Identifier]
    record: str


class Identities:
    """The records of recently seen identifiers. What a transaction made known is kept only once it has committed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Identifier, str] = OrderedDict()

    def keep(self, found: Mapping[Identifier, str]) -> None:
        self._kept.update(found)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def sort_out(self, lists: Iterable[Sequence[Identifier]]) -> tuple[dict[Identifier, str], list[Proposal]]:
        """The record that each list's first assigned identifier stands for where that is known, and a proposal else."""
        records: dict[Identifier, str] = {}
        proposals: dict[Identifier, Proposal] = {}
        for identifiers in lists:
            first, *others = assigned(tuple(identifiers))
            known = self._kept.get(first)
            if known is not None:
                self._kept.move_to_end(first)
                records[first] = known
            elif first not in proposals:
                proposals[first] = Proposal((first, *others), uuid4().hex)
        return records, list(proposals.values())


def settle(proposals: Iterable[Proposal], found: Mapping[Identifier, str]) -> dict[Identifier, str]:
    """The record of every proposed identifier, given those that the store knows.

    An unknown one joins the known record of the same message, in the order of preference, else it starts the proposed
    record: the rule of the function `identify`, one proposal after the other.
    """
    settled = dict(found)
    for proposal in proposals:
        record = next((settled[one] for one in proposal.identifiers if one in settled), proposal.record)
        for one in proposal.identifiers:
            settled.setdefault(one, record)
    return settled

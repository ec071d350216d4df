"""Which record an identifier stands for. Never changes (merges are said elsewhere), so it may be kept."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from secrets import token_hex
from typing import NamedTuple

from services.intake.person import assigned
from shared.events.people import Identifier

KEPT = 20_000
# Bytes of a record's id that it shares with those begun before and after it, and how many share them.
_SHARED_BYTES, _OWN_BYTES = 3, 13
_SHARED_BY = 4_096


class Proposal(NamedTuple):
    """Identifiers of one person in the order of preference, and the record to start if nobody knows any of them."""

    identifiers: Sequence[Identifier]
    record: str


class Identities:
    """The records of recently seen identifiers. What a transaction made known is kept only once it has committed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Identifier, str] = OrderedDict()
        self._begun = 0
        self._shared = ""

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
                proposals[first] = Proposal((first, *others), self._new_record())
        return records, list(proposals.values())

    def _new_record(self) -> str:
        """32 hexadecimal digits that say nothing of anybody, nor of when.

        Records that begin together stand together in every index by patient, in all services: wholly random ones each
        touch a page of their own, which on a large database has to be fetched, and written whole to the log.
        """
        if self._begun % _SHARED_BY == 0:
            self._shared = token_hex(_SHARED_BYTES)
        self._begun += 1
        return self._shared + token_hex(_OWN_BYTES)


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

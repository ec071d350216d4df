"""Which record an identifier stands for. The answer never changes (merges are said elsewhere), so it may be kept."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from services.intake import store
from services.intake.person import assigned
from services.intake.store import Proposal
from shared.events.people import Identifier

if TYPE_CHECKING:
    from services.intake.store import Connection

KEPT = 20_000


class Identities:
    """The records of recently seen identifiers. What a transaction made known is kept only once it has committed."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Identifier, str] = OrderedDict()

    def keep(self, found: dict[Identifier, str]) -> None:
        self._kept.update(found)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    async def resolve(
        self, connection: "Connection", lists: Iterable[Sequence[Identifier]]
    ) -> tuple[dict[Identifier, str], dict[Identifier, str]]:
        """The record that each list's first assigned identifier stands for, and what must be kept after the commit."""
        records: dict[Identifier, str] = {}
        proposals: list[Proposal] = []
        for identifiers in lists:
            first, *others = assigned(tuple(identifiers))
            if first in self._kept:
                self._kept.move_to_end(first)
                records[first] = self._kept[first]
            elif first not in records:
                records[first] = uuid4().hex
                proposals += [
                    Proposal((one.authority, one.type, one.value, position, records[first]))
                    for position, one in enumerate((first, *others))
                ]
        if not proposals:
            return records, {}
        found = await store.identify(connection, proposals)
        records.update((first, found[first]) for first in records if first in found)
        return records, found

"""Loading a roster: at the start from its file when that is new, later by people."""

from dataclasses import dataclass
from pathlib import Path

from services.notifications.roster import Roster, read_roster, removed, removes_too_much
from services.notifications.store import roster as store
from shared.postgres import Database, Transaction
from shared.telemetry import log


@dataclass(frozen=True, slots=True)
class Loaded:
    version: int
    memberships: int
    removed: int


class RemovesTooMuchError(Exception):
    """The roster would remove `gone` of the `before` memberships."""

    def __init__(self, before: int, gone: int) -> None:
        super().__init__(f"would remove {gone} of {before} memberships")
        self.before = before
        self.gone = gone


async def load_roster(tx: Transaction, roster: Roster, *, by: str, confirmed: bool = False) -> Loaded:
    """Takes the place of the roster before. Raises RemovesTooMuchError; nothing is then changed."""
    before = await store.known_links(tx.connection)
    gone = removed(before, roster)
    if removes_too_much(len(before), gone) and not confirmed:
        raise RemovesTooMuchError(len(before), gone)
    version = await store.replace(tx.connection, roster, gone=gone, by=by)
    return Loaded(version, len(roster.links()), gone)


async def load_file(database: Database, file: Path) -> None:
    """Loads the file unless just this content was loaded before: what people put in place since is kept.

    Raises RosterError. A file that removes too much is left aside, with a warning.
    """
    roster = read_roster(file)
    async with database.transaction() as tx:
        if await store.was_loaded(tx.connection, roster.digest):
            return
        try:
            loaded = await load_roster(tx, roster, by="file")
        except RemovesTooMuchError as refused:
            log.warning("roster file left aside: it removes too much", count=refused.gone, limit=refused.before)
            return
    log.info("roster loaded", version=loaded.version, count=loaded.memberships)

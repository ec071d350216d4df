"""What a person decides about two records that may be one, and about a number that suddenly names somebody else."""

from enum import StrEnum
from uuid import UUID

from services.intake import log_store
from services.intake.correcting import Corrector
from services.intake.identity import review_store, store
from services.intake.identity.joins import Basis
from services.intake.identity.linking import link
from services.intake.identity.store import Pair
from services.intake.message import Outcome, Reason, Verdict
from services.intake.receiving import Reception
from services.intake.replaying import replay
from shared.http import Problem
from shared.postgres import Database, Transaction

OPEN = ("review", "later")


class Decision(StrEnum):
    """`later` leaves the pair to somebody else, out of the way of the queue."""

    LINK = "link"
    DISTINCT = "distinct"
    LATER = "later"


_STATES = {Decision.LINK: "linked", Decision.DISTINCT: "distinct", Decision.LATER: "later"}


async def decide_pair(
    tx: Transaction, pair_id: UUID, decision: Decision, version: int, *, by: str, note: str | None
) -> int:
    """The pair's new version. Raises Problem 404 for an unknown pair, 409 when it was decided or changed meanwhile."""
    row = await review_store.pair(tx.connection, pair_id)
    if row is None:
        raise Problem(404, "No such pair")
    decided = await store.decide(tx.connection, pair_id, version, _STATES[decision], by=by, note=note, among=OPEN)
    if decided is None:
        raise Problem(409, "It was decided already, or has changed since: look again", slug="stale-version")
    if decision is Decision.LINK:
        await link(tx, Pair(row["one"], row["other"]), pair_id, Basis.LINK, by)
    return decided


class Overlay(StrEnum):
    """`same-person`: the record was wrong and the message corrects it. `another-person`: the number was misused."""

    SAME_PERSON = "same-person"
    ANOTHER_PERSON = "another-person"


async def decide_overlay(
    database: Database, corrector: Corrector, reception: Reception, message_id: UUID,
    *, decision: Overlay, version: int, by: str, note: str,
) -> Verdict:  # fmt: skip
    """Applies the held message, and those that wait behind it for the same reason, or skips it.

    Raises Problem 404 when no such message is held as a suspected overlay, 409 when it has changed meanwhile.
    """
    found = await corrector.read([message_id])
    if not found or found[0].reason != Reason.OVERLAY_SUSPECTED or found[0].patient_id is None:
        raise Problem(404, "No such message is held as a suspected overlay")
    [message] = found
    async with database.pool.acquire() as connection:
        behind = await review_store.held_of(connection, found[0].patient_id, Reason.OVERLAY_SUSPECTED, message_id)
        if decision is Overlay.ANOTHER_PERSON:
            reason = Reason.SKIPPED_BY_PERSON
            if not await log_store.skip(connection, message_id, version, reason=reason.value, note=note, actor=by):
                raise Problem(409, "It has changed since: look again", slug="stale-version")
            return Verdict(Outcome.SKIPPED, reason=reason)
    message.version, message.arrival.is_confirmed = version, True
    verdict = await replay(database, reception, message, by)
    for waiting in await corrector.read(behind):
        # They are judged anew: what names the corrected person passes, what names a third one is held again.
        await replay(database, reception, waiting, by)
    return verdict

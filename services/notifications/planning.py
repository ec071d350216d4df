"""One notice, decided: whom it goes to, what it takes back, and why others hear nothing. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from services.notifications.announcement import Announcement
from services.notifications.coordination import TAKES_BACK
from services.notifications.directory import Directory, Endpoint
from services.notifications.history import History, Said, Told
from services.notifications.retracting import corrected, take_back
from services.notifications.routing import Bases, who_must_know
from shared.events import uuid7
from shared.events.notifications import Acknowledgement, Channel, SuppressionReason

NOBODY = ""
TOLD_BEFORE = "told-before"
ADMITTED = "care.encounter.admitted.v1"
ENDPOINT_DISABLED = "endpoint-disabled"


@dataclass(slots=True, kw_only=True)
class Planned:
    """A delivery to be. `retracts`: the events this endpoint was told of that do not hold; `asks`: how soon it must be
    acknowledged.
    """

    endpoint: Endpoint
    bases: tuple[str, ...]
    body: str
    retracts: tuple[UUID, ...] = ()
    reason: str | None = None
    asks: Acknowledgement | None = None
    told: Told


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    reason: SuppressionReason
    organisation: str = NOBODY
    endpoint_id: UUID | None = None
    bases: tuple[str, ...] = ()
    id: UUID = field(default_factory=uuid7)


@dataclass(slots=True, kw_only=True)
class Decision:
    """`retracted`: earlier deliveries that this notice takes back; `dropped` are those of them never sent."""

    notice: Announcement
    planned: list[Planned] = field(default_factory=list)
    suppressed: list[Suppressed] = field(default_factory=list)
    dropped: list[Told] = field(default_factory=list)
    retracted: list[Told] = field(default_factory=list)


def decide(notice: Announcement, directory: Directory, history: History, now: datetime) -> Decision | None:
    """The decision, already entered in `history`; None when the notice only speaks of what was never a notice, or is
    for those who chose it and nobody did.
    """
    if notice.admits_anew and history.last_of_type(notice.encounter_id, ADMITTED) is None:
        return None
    if notice.takes_back:
        notice = replace(notice, retracts=history.of_thread(notice.thread, notice.takes_back))
    if not notice.announces and not _speaks_of_known(notice, history):
        return None
    amends, standing = corrected(notice, history)
    decision = Decision(notice=replace(notice, amends=amends))
    said = Said(
        event_id=notice.event_id,
        event_type=notice.event_type,
        encounter_id=notice.encounter_id,
        occurred_at=notice.occurred_at,
        thread=notice.thread,
        amends=amends,
    )
    _take_back(decision, directory, history)
    for one in standing:
        _tell_again(decision, directory, one)
    if notice.announces:
        _announce(decision, directory, history, said, now)
    if not (decision.planned or decision.suppressed or decision.dropped):
        if notice.by_choice:
            return None
        decision.suppressed.append(Suppressed(reason=SuppressionReason.NEVER_TOLD))
    history.add(said, (one.told for one in decision.planned))
    return decision


def _speaks_of_known(notice: Announcement, history: History) -> bool:
    if notice.corrects_discharge:
        return corrected(notice, history)[0] is not None
    if notice.takes_back and not notice.by_choice:
        return True  # it is kept even so: what it takes back may still be on its way from another service
    return history.knows(notice.retracts) or (notice.amends is not None and history.knows([notice.amends]))


def _take_back(decision: Decision, directory: Directory, history: History) -> None:
    event_id = decision.notice.event_id
    taken = take_back(decision.notice, history)
    for one in taken.dropped:
        one.status, one.retracted_by, one.version = "retracted", event_id, one.version + 1
    decision.dropped = taken.dropped
    for endpoint_id, several in taken.owed.items():
        for one in several:
            one.retracted_by = event_id
        decision.retracted += several
        endpoint = directory.endpoint(endpoint_id)
        if endpoint is not None:
            retracts = tuple(one.event_id for one in several)
            _plan(decision, endpoint, (TOLD_BEFORE,), retracts, body="thin" if decision.notice.moved else None)
        else:
            gone = several[0].organisation
            decision.suppressed.append(_disabled(gone, endpoint_id, (TOLD_BEFORE,)))


def _tell_again(decision: Decision, directory: Directory, original: Told) -> None:
    endpoint = directory.endpoint(original.endpoint_id)
    if endpoint is not None and all(one.endpoint.id != endpoint.id for one in decision.planned):
        _plan(decision, endpoint, (TOLD_BEFORE,))


def _plan(
    decision: Decision,
    endpoint: Endpoint,
    bases: tuple[str, ...],
    retracts: tuple[UUID, ...] = (),
    body: str | None = None,
) -> None:
    """A delivery; a topic has it with this transaction. To a disabled endpoint it fails at once and stands there for
    people: something is owed.
    """
    status = "delivered" if endpoint.channel is Channel.KAFKA else "queued"
    status = status if endpoint.active else "failed"
    told = Told(
        delivery_id=uuid7(),
        event_id=decision.notice.event_id,
        event_type=decision.notice.event_type,
        endpoint_id=endpoint.id,
        organisation=endpoint.organisation,
        status=status,
        version=1 if status == "queued" else 2,
    )
    decision.planned.append(
        Planned(
            endpoint=endpoint,
            bases=bases,
            body=body or endpoint.body,
            retracts=retracts,
            reason=None if endpoint.active else ENDPOINT_DISABLED,
            asks=endpoint.must_acknowledge(decision.notice.event_type, bases),
            told=told,
        )
    )


def _announce(decision: Decision, directory: Directory, history: History, said: Said, now: datetime) -> None:
    notice = decision.notice
    if notice.by_choice and notice.historical:
        return
    if history.is_over(said, TAKES_BACK):
        decision.suppressed.append(Suppressed(reason=SuppressionReason.RETRACTED_BEFORE_SENT))
        return
    if notice.historical or notice.after_death:
        reason = SuppressionReason.HISTORICAL if notice.historical else SuppressionReason.PATIENT_DECEASED
        decision.suppressed.append(Suppressed(reason=reason))
        return
    must_know = who_must_know(notice, directory, now)
    for endpoint, bases in _endpoints(decision, directory, must_know):
        owed = next((one for one in decision.planned if one.endpoint.id == endpoint.id), None)
        if owed is not None:
            owed.bases, owed.body = (*bases, *owed.bases), endpoint.body
            owed.asks = endpoint.must_acknowledge(notice.event_type, owed.bases)
        elif notice.task is None and history.repeats(endpoint.id, said):
            decision.suppressed.append(_suppressed(SuppressionReason.DUPLICATE, endpoint, bases))
        else:
            _plan(decision, endpoint, bases)
    if not (decision.planned or decision.suppressed or notice.by_choice):
        decision.suppressed.append(Suppressed(reason=SuppressionReason.NO_RECIPIENT))


def _endpoints(
    decision: Decision, directory: Directory, must_know: Bases
) -> Iterator[tuple[Endpoint, tuple[str, ...]]]:
    """The endpoints that hear it; why the others do not is noted, but for those who only listen by choice."""
    for organisation, bases in must_know.items():
        endpoints = directory.endpoints.get(organisation, ())
        by_choice = decision.notice.by_choice or bases == ("subscription",)
        if not endpoints and not by_choice:
            decision.suppressed.append(
                Suppressed(reason=SuppressionReason.NO_RECIPIENT, organisation=organisation, bases=bases)
            )
        for endpoint in endpoints:
            if not endpoint.hears(decision.notice.event_type, by_choice=decision.notice.by_choice):
                if not by_choice:
                    decision.suppressed.append(_suppressed(SuppressionReason.NOT_SUBSCRIBED, endpoint, bases))
            elif not endpoint.active:
                decision.suppressed.append(_disabled(organisation, endpoint.id, bases))
            else:
                yield endpoint, bases


def _suppressed(reason: SuppressionReason, endpoint: Endpoint, bases: tuple[str, ...]) -> Suppressed:
    return Suppressed(reason=reason, organisation=endpoint.organisation, endpoint_id=endpoint.id, bases=bases)


def _disabled(organisation: str, endpoint_id: UUID, bases: tuple[str, ...]) -> Suppressed:
    return Suppressed(
        reason=SuppressionReason.ENDPOINT_DISABLED, organisation=organisation, endpoint_id=endpoint_id, bases=bases
    )

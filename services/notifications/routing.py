"""Who must know of a notice, and why: organisations with all their bases, strongest first. Pure."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from services.notifications.announcement import Announcement
from services.notifications.directory import ANYWHERE, Directory, Membership, days_that_count

Bases = dict[str, tuple[str, ...]]
STRENGTH = (
    "awaited",
    "attending",
    "admitting",
    "consulting",
    "referring",
    "receiving-facility",
    "pcp",
    "care-team",
    "requester",
    "performer",
    "panel",
    "subscription",
)


def who_must_know(notice: Announcement, directory: Directory, now: datetime) -> Bases:
    """Organisation -> bases. Memberships count that hold on the day of the event and today."""
    days = days_that_count(notice.occurred_at, now)
    found: dict[str, set[str]] = {}
    for basis, memberships in _leads(notice, directory):
        for organisation in _holding(memberships, days):
            found.setdefault(organisation, set()).add(basis)
    return {organisation: tuple(sorted(bases, key=STRENGTH.index)) for organisation, bases in found.items()}


def _leads(notice: Announcement, directory: Directory) -> Iterator[tuple[str, Iterable[Membership]]]:
    parties = notice.parties
    for basis, npi in parties.npis:
        yield basis, directory.practitioners.get(npi, ())
    for basis, code in parties.codes:
        yield basis, directory.codes.get(code, ())
    for basis, slug in parties.organisations:
        yield basis, directory.organisations.get(slug, ())
    for key in parties.panels:
        yield "panel", directory.panels.get(key, ())
    if parties.facility:
        yield "subscription", directory.subscriptions.get(parties.facility, ())
        yield "subscription", directory.subscriptions.get(ANYWHERE, ())


def _holding(memberships: Iterable[Membership], days: tuple[date, date]) -> Iterator[str]:
    return (one.organisation for one in memberships if one.spell.holds(days))

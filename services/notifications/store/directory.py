"""The part of the roster that a batch of events can lead to."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from services.notifications.directory import ANYWHERE, Asks, Directory, Endpoint, Membership, Spell
from shared.events.notifications import Acknowledgement, Channel

if TYPE_CHECKING:
    from services.notifications.store import Connection, Record

# A membership holds only while its organisation does.
MEMBERSHIPS = """
SELECT m.kind, m.key, m.organisation, greatest(m.active_from, o.active_from) AS first,
       least(m.active_until, o.active_until) AS last
FROM membership m JOIN organisation o ON o.slug = m.organisation
WHERE (m.kind = 'practitioner' AND m.key = ANY ($1::text[])) OR (m.kind = 'code' AND m.key = ANY ($2::text[]))
   OR (m.kind = 'panel' AND m.key = ANY ($3::text[])) OR (m.kind = 'subscription' AND m.key = ANY ($4::text[]))
UNION ALL
SELECT 'organisation', o.slug, o.slug, o.active_from, o.active_until FROM organisation o WHERE o.slug = ANY ($5::text[])
ORDER BY organisation
"""
# Asked once a batch, so that what nobody chose to hear costs no more than this.
CHOSEN = "SELECT DISTINCT unnest(event_types) AS event_type FROM endpoint WHERE status <> 'deleted'"
ENDPOINTS = """
SELECT e.id, e.organisation, e.channel, e.status, e.event_types, e.body, o.must_acknowledge::text AS must_acknowledge
FROM endpoint e JOIN organisation o ON o.slug = e.organisation
WHERE e.status <> 'deleted' AND (e.organisation = ANY ($1::text[]) OR e.id = ANY ($2::uuid[])) ORDER BY e.id
"""


async def load_directory(
    connection: "Connection",
    *,
    npis: Collection[str],
    codes: Collection[str],
    panels: Collection[str],
    facilities: Collection[str],
    slugs: Collection[str],
    told: Iterable[UUID],
) -> Directory:
    """Two statements. `told`: endpoints that must be known whatever the roster says, since they were told before."""
    heard = [*facilities, ANYWHERE]
    rows = await connection.fetch(MEMBERSHIPS, list(npis), list(codes), list(panels), heard, list(slugs))
    found: dict[str, dict[str, list[Membership]]] = {}
    for row in rows:
        found.setdefault(row["kind"], {}).setdefault(row["key"], []).append(_membership(row))
    endpoints = await connection.fetch(ENDPOINTS, sorted({row["organisation"] for row in rows}), list(set(told)))
    return Directory(
        practitioners=_frozen(found.get("practitioner", {})),
        codes=_frozen(found.get("code", {})),
        panels=_frozen(found.get("panel", {})),
        organisations=_frozen(found.get("organisation", {})),
        subscriptions=_frozen(found.get("subscription", {})),
        endpoints=_by_organisation(endpoints),
    )


async def chosen_types(connection: "Connection") -> set[str]:
    """The types of events that some endpoint names."""
    return {row["event_type"] for row in await connection.fetch(CHOSEN)}


def _membership(row: "Record") -> Membership:
    return Membership(row["organisation"], Spell(row["first"], row["last"]))


def _asks(one: dict[str, Any]) -> Asks:
    return Asks(
        event_type=one["notice"], priority=Acknowledgement(one["priority"]), bases=frozenset(one.get("bases", ()))
    )


def _frozen(found: dict[str, list[Membership]]) -> dict[str, tuple[Membership, ...]]:
    return {key: tuple(several) for key, several in found.items()}


def _by_organisation(rows: "list[Record]") -> dict[str, tuple[Endpoint, ...]]:
    out: dict[str, tuple[Endpoint, ...]] = {}
    for row in rows:
        endpoint = Endpoint(
            id=row["id"],
            organisation=row["organisation"],
            channel=Channel(row["channel"]),
            active=row["status"] == "active",
            event_types=frozenset(row["event_types"]),
            body=row["body"],
            asks=tuple(_asks(one) for one in orjson.loads(row["must_acknowledge"])),
        )
        out[endpoint.organisation] = (*out.get(endpoint.organisation, ()), endpoint)
    return out

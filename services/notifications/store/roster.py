"""The roster's tables: replaced as a whole, and counted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from services.notifications.roster import Roster
from shared.events import uuid7

if TYPE_CHECKING:
    from services.notifications.store import Connection, Record

LOCK = "SELECT pg_advisory_xact_lock(hashtext('notifications.roster'))"
KNOWN = "SELECT DISTINCT kind, key, organisation FROM membership"
LOADED = "SELECT EXISTS (SELECT 1 FROM roster_load WHERE digest = $1)"
ORGANISATIONS = """
INSERT INTO organisation AS o (slug, name, kafka, active_from, active_until, must_acknowledge)
SELECT * FROM unnest($1::text[], $2::text[], $3::boolean[], $4::date[], $5::date[], $6::jsonb[])
ON CONFLICT (slug) DO UPDATE SET name = excluded.name, kafka = excluded.kafka, active_from = excluded.active_from,
                                 active_until = excluded.active_until, must_acknowledge = excluded.must_acknowledge
"""
# Who left stays known, since deliveries name it, but nothing leads there any more.
END_OTHERS = """
UPDATE organisation SET active_until = least(active_until, current_date - 1), kafka = false, must_acknowledge = '[]'
WHERE slug <> ALL ($1::text[])
"""
CLEAR = "DELETE FROM membership"
MEMBERSHIPS = """
INSERT INTO membership (kind, key, organisation, active_from, active_until)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::date[]) ON CONFLICT DO NOTHING
"""
WITHOUT_TOPIC = """
SELECT slug FROM organisation o WHERE kafka AND NOT EXISTS (
    SELECT 1 FROM endpoint e WHERE e.organisation = o.slug AND e.channel = 'kafka' AND e.status <> 'deleted')
ORDER BY slug
"""
ADD_TOPICS = "INSERT INTO endpoint (id, organisation, channel) SELECT *, 'kafka' FROM unnest($1::uuid[], $2::text[])"
END_TOPICS = """
UPDATE endpoint e SET status = 'deleted', version = version + 1 FROM organisation o
WHERE o.slug = e.organisation AND e.channel = 'kafka' AND e.status <> 'deleted' AND NOT o.kafka
"""
NOTE = """
INSERT INTO roster_load (digest, memberships, removed, loaded_by) VALUES ($1, $2, $3, $4) RETURNING version
"""
LATEST = (
    "SELECT version, digest, memberships, removed, loaded_by, loaded_at FROM roster_load ORDER BY version DESC LIMIT 1"
)
LISTED = """
SELECT o.slug, o.name, o.kafka, o.active_from::text, o.active_until::text,
       count(m.key) FILTER (WHERE m.kind = 'practitioner') AS practitioners,
       count(m.key) FILTER (WHERE m.kind = 'code') AS codes, count(m.key) FILTER (WHERE m.kind = 'panel') AS panel,
       count(m.key) FILTER (WHERE m.kind = 'subscription') AS subscriptions,
       (SELECT count(*) FROM endpoint e WHERE e.organisation = o.slug AND e.status = 'active') AS endpoints,
       jsonb_array_length(o.must_acknowledge) AS must_acknowledge
FROM organisation o LEFT JOIN membership m ON m.organisation = o.slug GROUP BY o.slug ORDER BY o.slug
"""
TOPICS = "SELECT slug FROM organisation WHERE kafka AND active_until >= current_date ORDER BY slug"
IS_ORGANISATION = "SELECT EXISTS (SELECT 1 FROM organisation WHERE slug = $1)"


async def known_links(connection: "Connection") -> set[tuple[str, str, str]]:
    """Under the roster's lock: nobody else loads one until the transaction ends."""
    await connection.execute(LOCK)
    return {(row["kind"], row["key"], row["organisation"]) for row in await connection.fetch(KNOWN)}


async def was_loaded(connection: "Connection", digest: str) -> bool:
    return bool(await connection.fetchval(LOADED, digest))


async def replace(connection: "Connection", roster: Roster, *, gone: int, by: str) -> int:
    """Everything of the roster anew; answers the version of this load."""
    rows = [(o.slug, o.name, o.kafka, o.first, o.last, orjson.dumps(o.asked())) for o in roster.organisations]
    await connection.execute(ORGANISATIONS, *_columns(rows, 6))
    await connection.execute(END_OTHERS, [one.slug for one in roster.organisations])
    links = roster.links()
    await connection.execute(CLEAR)
    await connection.execute(MEMBERSHIPS, *_columns(links, 5))
    await connection.execute(END_TOPICS)
    new = [row["slug"] for row in await connection.fetch(WITHOUT_TOPIC)]
    await connection.execute(ADD_TOPICS, [uuid7() for _ in new], new)
    return int(await connection.fetchval(NOTE, roster.digest, len(links), gone, by))


async def latest(connection: "Connection") -> "Record | None":
    return await connection.fetchrow(LATEST)


async def listed(connection: "Connection") -> "list[Record]":
    return await connection.fetch(LISTED)


async def with_topics(connection: "Connection") -> list[str]:
    return [row["slug"] for row in await connection.fetch(TOPICS)]


async def is_organisation(connection: "Connection", slug: str) -> bool:
    return bool(await connection.fetchval(IS_ORGANISATION, slug))


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]

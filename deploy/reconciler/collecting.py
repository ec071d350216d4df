"""Collects the books of a stack at rest: one connection that may read every schema, Kafka, and the logs outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from deploy.reconciler.books import (
    Delivery,
    Encounter,
    Event,
    Mark,
    Message,
    Plan,
    Stuck,
    Task,
    Transition,
)

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

SERVICES = ("intake", "transitions", "careplan", "notifications", "dashboard")
CONSUMERS = ("transitions", "careplan", "notifications", "dashboard")
MESSAGES = """
SELECT id::text, feed, control_id, encode(sha256, 'hex') AS digest, trigger, outcome, code,
       coalesce(reason, '') AS reason, encounter_id::text,
       array(SELECT e ->> 'event_id' FROM jsonb_array_elements(effects) e) AS effects
FROM intake.message m ORDER BY m.id
"""
ENCOUNTERS = """
SELECT e.id::text, e.value AS visit, e.status, e.version,
       array(SELECT a ->> 'event_id' FROM jsonb_array_elements(e.announced) a) AS announced,
       array(SELECT f.message_id::text FROM intake.encounter_fact f WHERE f.encounter_id = e.id) AS facts
FROM intake.encounter e ORDER BY e.id
"""
TRANSITIONS = "SELECT id::text, encounter_id::text, status, version, encounter_version FROM transitions.transition"
TASKS = "SELECT id::text, transition_id::text, status, version FROM transitions.task"
PLANS = "SELECT transition_id::text, plan_id::text, plan_version FROM careplan.course"
OUTBOX = """
SELECT id AS row, event_id::text AS id, type, topic, subject, epoch, sequence, recorded,
       published_at IS NOT NULL AS published, headers, value,
       coalesce(o.log_id = (SELECT log_id FROM {service}.relay), true) AS in_log
FROM {service}.outbox o ORDER BY o.id
"""
MARKS = "SELECT consumer, source, topic, subject, epoch, sequence FROM {service}.watermark"
HEARD = "SELECT consumer, array_agg(DISTINCT topic) AS topics FROM {service}.position GROUP BY consumer"
STUCK = """
SELECT subject AS id, 'parked (' || reason || ')' AS what FROM {service}.blocked_key
UNION ALL SELECT id::text, 'dead letter' FROM {service}.dead_letter
"""
DELIVERIES = """
SELECT id::text, position, event_id::text, coalesce(endpoint_id::text, '') AS endpoint_id, organisation,
       coalesce(channel, '') AS channel, patient_id, coalesce(encounter_id::text, '') AS encounter_id, status, reached,
       retracts::text[] AS retracts
FROM notifications.delivery ORDER BY position
"""
SUPPRESSED = "SELECT DISTINCT event_id::text AS id FROM notifications.suppression"
# Endpoints that chose nothing out, of organisations that may hear of every facility.
EVERYTHING = """
SELECT e.id::text, e.created_at FROM notifications.endpoint e
JOIN notifications.membership m ON m.organisation = e.organisation AND m.kind = 'subscription' AND m.key = '*'
WHERE e.status = 'active' AND e.event_types = '{}'
"""
# The aggregate that an event is about, by the property of its value that holds it.
AGGREGATES = (
    ("notice_id", None),
    ("task", "id"),
    ("transition", "id"),
    ("encounter", "id"),
    ("plan", "id"),
    ("delivery", "id"),
)


async def messages(connection: "Connection") -> tuple[Message, ...]:
    return tuple(Message(**_tuples(row)) for row in await connection.fetch(MESSAGES))


async def encounters(connection: "Connection") -> tuple[Encounter, ...]:
    return tuple(Encounter(**_tuples(row)) for row in await connection.fetch(ENCOUNTERS))


async def transitions(connection: "Connection") -> tuple[Transition, ...]:
    return tuple(Transition(**dict(row)) for row in await connection.fetch(TRANSITIONS))


async def tasks(connection: "Connection") -> tuple[Task, ...]:
    return tuple(Task(**dict(row)) for row in await connection.fetch(TASKS))


async def plans(connection: "Connection") -> tuple[Plan, ...]:
    return tuple(Plan(**dict(row)) for row in await connection.fetch(PLANS))


async def deliveries(connection: "Connection") -> tuple[Delivery, ...]:
    return tuple(Delivery(**_tuples(row)) for row in await connection.fetch(DELIVERIES))


async def suppressed(connection: "Connection") -> frozenset[str]:
    return frozenset(row["id"] for row in await connection.fetch(SUPPRESSED))


async def hearing_everything(connection: "Connection") -> dict[str, datetime]:
    return {row["id"]: row["created_at"] for row in await connection.fetch(EVERYTHING)}


async def marks(connection: "Connection") -> tuple[Mark, ...]:
    rows = [row for service in CONSUMERS for row in await connection.fetch(MARKS.format(service=service))]
    return tuple(Mark(**dict(row)) for row in rows)


async def hears(connection: "Connection") -> dict[str, frozenset[str]]:
    rows = [row for service in CONSUMERS for row in await connection.fetch(HEARD.format(service=service))]
    return {row["consumer"]: frozenset(row["topics"]) for row in rows}


async def stuck(connection: "Connection") -> tuple[Stuck, ...]:
    rows = [(s, row) for s in SERVICES for row in await connection.fetch(STUCK.format(service=s))]
    return tuple(Stuck(service, row["what"], row["id"]) for service, row in rows)


async def events(connection: "Connection") -> tuple[Event, ...]:
    """Every row of every outbox, in the order of its service."""
    rows = [(s, row) for s in SERVICES for row in await connection.fetch(OUTBOX.format(service=s))]
    return tuple(_event(service, row) for service, row in rows)


def _event(service: str, row: "asyncpg.Record") -> Event:
    headers, value = orjson.loads(row["headers"]), orjson.loads(row["value"])
    about = value.get("encounter") or {}
    columns = ("row", "id", "type", "topic", "subject", "epoch", "sequence", "recorded", "published", "in_log")
    return Event(
        **{name: row[name] for name in columns},
        source=service,
        version=int(headers["ce_aggregateversion"]),
        cause=headers["ce_causationid"],
        time=headers["ce_time"],
        historical=headers.get("ce_historical") == "true",
        about=_about(value),
        encounter_class=about.get("encounter_class", ""),
        retracts=tuple(value.get("retracts") or ()),
    )


def _about(value: dict[str, Any]) -> str:
    for name, key in AGGREGATES:
        found = value.get(name)
        if found:
            return str(found[key]) if key else str(found)
    return ""


def _tuples(row: "asyncpg.Record") -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in row.items()
    }

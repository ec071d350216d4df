"""Fills a message log: with rows that intake made of real messages, again and again under other ids, spread over a
month; or with metadata alone, where ten million rows must fit.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncpg

    Tables = asyncpg.Connection[asyncpg.Record]

DAYS = 30
MESSAGES_A_STAY = 12
# What the log already has, numbered from 0; its own rows go, so that every row is one of the month's.
PARSED = """
CREATE TEMP TABLE parsed AS
SELECT row_number() OVER (ORDER BY id) - 1 AS number, trigger, doubts, effects, size, raw FROM message
WHERE outcome = 'accepted'
"""
# For plans and buffers alone: what a row weighs beside its bytes and events.
NARROW = """
CREATE TEMP TABLE parsed AS
SELECT number - 1 AS number, trigger, '' AS doubts, '[]'::jsonb AS effects, 0 AS size, ''::bytea AS raw
FROM unnest(ARRAY['A01', 'A02', 'A03', 'A04', 'A08', 'A08', 'A08', 'A08', 'A06', 'A31'])
     WITH ORDINALITY t (trigger, number)
"""
# One day's messages of eight feeds, one of them small; one trigger is rare. A fiftieth is held.
DAY = """
INSERT INTO message (id, received_at, feed, control_id, trigger, outcome, reason, code, doubts, patient_id,
                     encounter_id, effects, sha256, size, raw)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(h, 1, 3) || '8'
        || substr(h, 4, 15))::uuid,
       at, feed, 'C' || n, CASE WHEN n % 100003 = 0 THEN 'A52' ELSE p.trigger END, outcome,
       CASE outcome WHEN 'accepted' THEN NULL ELSE reason END, 'AA', p.doubts,
       'p-' || n % $4::bigint, md5('stay' || n % $4::bigint)::uuid,
       CASE outcome WHEN 'accepted' THEN p.effects ELSE '[]' END, decode(md5(h) || h, 'hex'), p.size, p.raw
FROM (
    SELECT n, $1::timestamptz + make_interval(secs => (n - $2) * 86400.0 / $3) AS at, md5(n::text) AS h,
           CASE WHEN n % 1000 = 0 THEN 'clinic' ELSE 'hospital-' || n % 7 END AS feed,
           CASE WHEN n % 50 = 0 THEN 'held' WHEN n % 200 = 1 THEN 'rejected' WHEN n % 200 = 2 THEN 'skipped'
                ELSE 'accepted' END AS outcome,
           (ARRAY['no-visit','rule-failed','visit-of-another-patient'])[1 + n / 50 % 3] AS reason
    FROM generate_series($2::bigint, $2::bigint + $3::bigint - 1) n
) day JOIN parsed p ON p.number = day.n % (SELECT count(*) FROM parsed)
"""
# The patients and stays that these messages speak of, under numbers of their own.
PEOPLE = """
INSERT INTO identifier (authority, type, value, patient_id)
SELECT 'LOG', 'MR', 'M' || k, 'p-' || k FROM generate_series(0, $1::bigint - 1) k
"""
STAYS = """
INSERT INTO encounter (id, authority, type, value, patient_id, feed, facility, version, status, state, announced)
SELECT md5('stay' || k)::uuid, 'LOG', 'VN', 'V' || k, 'p-' || k, e.feed, e.facility, e.version, e.status, e.state,
       e.announced
FROM generate_series(0, $1::bigint - 1) k
CROSS JOIN (SELECT * FROM encounter WHERE status = 'finished' LIMIT 1) e
"""
# Of every tenth patient a merge, of every tenth a chain of two moves, told over a week.
KEYS = """
INSERT INTO patient_key (id) SELECT 'p-' || k FROM generate_series(0, $1::bigint - 1) k
"""
MERGED = """
UPDATE patient_key SET survivor = 'p-' || substr(id, 3)::bigint - 1
WHERE id LIKE 'p-%' AND substr(id, 3)::bigint % 10 = 1
"""
SAME = """
INSERT INTO same_patient (cause, retired, survivor, said)
SELECT md5('merge' || k)::uuid, 'p-' || k, 'p-' || k - 1,
       jsonb_build_array('2026-01-01', '2026-01-01', '0', k::text, '')
FROM generate_series(1, $1::bigint - 1, 10) k
"""
MOVES = """
INSERT INTO stay_move (message_id, source, target, said, told_at, traced_at)
SELECT md5('move' || k)::uuid, 'p-' || k, 'p-' || k + 1,
       jsonb_build_array('2026-01-02', '2026-01-02', '0', k::text, ''),
       now() - make_interval(secs => k * 604800.0 / $1::bigint), now() - interval '1 minute'
FROM generate_series(4, $1::bigint - 3) k WHERE k % 10 IN (4, 5)
"""
# As intake counts them, minute by minute.
COUNTED = """
INSERT INTO counted_minute (feed, minute, messages, last_received_at)
SELECT feed, date_trunc('minute', received_at), count(*), max(received_at) FROM message
WHERE id >= first_id(now() - interval '24 hours') GROUP BY 1, 2 ON CONFLICT DO NOTHING
"""
LONG_S = 3600


def patients_of(rows: int) -> int:
    """How many patients so many messages speak of."""
    return rows // MESSAGES_A_STAY


async def fill(tables: "Tables", begun: datetime, rows: int) -> None:
    """A month of messages from `begun` (UTC midnight) on, each a copy of one that intake has taken in, with patients
    and stays to look for.
    """
    await tables.execute(PARSED)
    await tables.execute("TRUNCATE message")
    await _days(tables, begun, rows)
    await tables.execute(PEOPLE, patients_of(rows), timeout=LONG_S)
    await tables.execute(STAYS, patients_of(rows), timeout=LONG_S)
    await tables.execute("VACUUM ANALYZE identifier, encounter", timeout=LONG_S)


async def fill_narrow(tables: "Tables", begun: datetime, rows: int) -> None:
    """As many rows without bytes and events."""
    await tables.execute(NARROW)
    await _days(tables, begun, rows)


async def fill_moves(tables: "Tables", rows: int) -> None:
    """Patients of `fill_narrow`, with merges and moves among them."""
    for sql in (KEYS, SAME, MOVES):
        await tables.execute(sql, patients_of(rows), timeout=LONG_S)
    await tables.execute(MERGED, timeout=LONG_S)
    await tables.execute("VACUUM ANALYZE patient_key, same_patient, stay_move", timeout=LONG_S)


async def _days(tables: "Tables", begun: datetime, rows: int) -> None:
    await tables.execute("SET synchronous_commit = off")
    for day in range(DAYS):
        at = begun + timedelta(days=day)
        await tables.execute("SELECT message_day($1::date)", at.date())
        await one_day(tables, at, day * (rows // DAYS) + 1, rows // DAYS, patients_of(rows))
    await tables.execute(COUNTED, timeout=LONG_S)
    await tables.execute("VACUUM ANALYZE message, counted_minute", timeout=LONG_S)


async def one_day(tables: "Tables", at: datetime, first: int, count: int, patients: int) -> None:
    """`count` messages over the day that begins at `at`, numbered from `first`."""
    await tables.execute(DAY, at, first, count, patients, timeout=LONG_S)

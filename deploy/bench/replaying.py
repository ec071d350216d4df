"""A whole log read and applied once more: nothing changes, nothing is said, and nobody hears of it."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from deploy.bench import tools
from deploy.bench.figures import Figure, Report
from deploy.bench.ground import Ground
from deploy.bench.tools import Load
from deploy.local.settings import SERVICES

ASKED_PER_SECOND = 1_000
LONGEST_S = 3_600.0
LOOK_S = 0.5
# Every column of what messages leave in intake; of the log itself all but when a message was received.
KEPT: Mapping[str, str] = {
    "message": "id, feed, control_id, trigger, outcome, reason, code, doubts, patient_id, encounter_id, effects,"
    " sha256, size, raw, version, note, decided_by",
    "message_key": "*",
    "identifier": "*",
    "patient": "*",
    "patient_key": "*",
    "patient_link": "*",
    "encounter": "*",
    "encounter_fact": "*",
    "standing": "*",
    "outbox": "id, event_id, topic, subject, sequence, type, value",
}
CHECKSUM = """
SELECT md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) AS checksum, count(*) AS rows
FROM (SELECT {columns} FROM intake.{table} WHERE {which}) t
"""
# What is said each minute of every feed goes on.
WHICH: Mapping[str, str] = {"outbox": "topic <> 'care.feeds.v1'"}
# How far each service has heard intake, and whom it has told of what intake said: timers may fire meanwhile.
HEARD = """
SELECT coalesce(sum(sequence), 0)::bigint AS heard FROM {service}.watermark
WHERE source = 'intake' AND topic <> 'care.feeds.v1'
"""
TOLD = """
SELECT count(*) AS told FROM notifications.delivery d WHERE EXISTS (
    SELECT 1 FROM intake.outbox o WHERE o.event_id = d.event_id)
"""


async def everything(ground: Ground, report: Report, *, messages: int) -> None:
    """Takes messages in with everything running, then replays all of them."""
    await ground.everything()
    sent = await tools.offer(ground.mllp_port, Load(20, messages, seed=970), mixed=True)
    await ground.drained(LONGEST_S)
    before, told = await checksums(ground), await _told(ground)
    began = time.monotonic()
    done = await _replayed(ground)
    seconds = time.monotonic() - began
    await ground.drained()
    after, told_after = await checksums(ground), await _told(ground)
    differing = sorted(table for table in KEPT if before[table] != after[table])
    differing += sorted(what for what in told if told[what] != told_after[what])
    kinds = f"{done['unchanged']} unchanged, {done['left']} left as they were, {done['failed']} failed"
    report.tell(
        Figure(f"{done['total']:,} messages replayed", done["total"] / seconds, "messages/s", ASKED_PER_SECOND,
               beside=f"with everything running; taken in at {sent.per_second:.0f}/s"),
        Figure("changed by the replay", done["changed"] + done["failed"], "messages", 0, "less", kinds),
        Figure("tables, watermarks and deliveries that differ after it", len(differing), "", 0, "less",
               ", ".join(differing) or f"of {len(before) + len(told)} compared"),
    )  # fmt: skip


async def checksums(ground: Ground) -> dict[str, tuple[str, int]]:
    """Of all rows and kept columns of each table, with how many rows there are."""
    found = {}
    for table, columns in KEPT.items():
        sql = CHECKSUM.format(columns=columns, table=table, which=WHICH.get(table, "true"))
        [row] = await ground.query(sql)
        found[table] = (row["checksum"], row["rows"])
    return found


async def _told(ground: Ground) -> dict[str, int]:
    found = {}
    for service in SERVICES:
        if service != "intake":
            [heard] = await ground.query(HEARD.format(service=service))
            found[f"{service} has heard"] = heard["heard"]
    [told] = await ground.query(TOLD)
    return found | {"deliveries": told["told"]}


async def _replayed(ground: Ground) -> Mapping[str, Any]:
    async with ground.operations() as operations:
        asked = await operations.post("intake", "/replays", {"dry_run": False})
        async with asyncio.timeout(LONGEST_S):
            while True:
                found: Mapping[str, Any] = await operations.get("intake", f"/replays/{asked['id']}")
                if found["state"] != "running":
                    return found
                await asyncio.sleep(LOOK_S)

"""Files over real HTTP and from a watched folder: durable first, then read, with progress and a report."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio

from services.intake.files_api import files_router
from services.intake.folder import WatchedFolder
from services.intake.incoming_files import LONGEST_MESSAGE, PART_BYTES, IncomingFiles
from services.intake.sealing import Seal
from services.intake.settings import FilesSettings
from shared.http import Role
from tests.integration.http.running import Client, issuing, service
from tests.integration.intake.conftest import KEY, Intake, until
from tests.support.story import running
from tests.unit.intake.bundles import admission
from tests.unit.intake.messages import adt, specimen

DAY = (
    b"FHS|^~\\&|X\rBHS|^~\\&|Y\r"
    + adt("A01", control_id="1")
    + specimen("a01-no-pid")
    + adt("A03", control_id="3", recorded="20260306150000", disposition="01")
    + adt("A01", control_id="1")
    + b"BTS|5\rFTS|1\r"
)


@pytest.fixture
def files(intake: Intake) -> IncomingFiles:
    return IncomingFiles(intake.database, intake.feeds, intake.reception, Seal(KEY))


@pytest_asyncio.fixture(loop_scope="session")
async def client(
    intake: Intake, files: IncomingFiles, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Client]:
    async with (
        issuing(tmp_path_factory.mktemp("issuer")) as (_, tokens),
        service(
            tokens,
            [files_router(intake.database, intake.feeds, files)],
            database=intake.database,
            max_body_bytes=2 * LONGEST_MESSAGE,
        ) as answering,
    ):
        yield answering


async def done(client: Client, path: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def is_done() -> bool:
        found.update((await client.ask("GET", path, Role.OPS)).body)
        return bool(found["state"] == "done")

    await until(is_done)
    return found


async def test_a_batch_is_read_with_a_report(client: Client, intake: Intake, files: IncomingFiles) -> None:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", DAY, filename="day 1.hl7")
    kept = await client.ask("POST", "/files", Role.INTEGRATION, data=form)
    assert (kept.status, kept.headers["location"]) == (202, f"/files/{kept.body['id']}")
    waiting = (await client.ask("GET", kept.headers["location"], Role.INTEGRATION)).body
    assert (waiting["state"], waiting["done"], waiting["name"]) == ("waiting", 0, "day 1.hl7")
    async with running(files.run):
        report = await done(client, kept.headers["location"])
    assert (report["messages"], report["announced"], report["done"]) == (4, 5, 4)
    assert report["outcomes"] == {"accepted": 2, "rejected": 1, "duplicate": 1}
    assert [(one["number"], one["control_id"], one["reason"], one["location"]) for one in report["problems"]] == [
        (2, "N1", "missing-patient", "PID^1")
    ]
    assert await intake.event_types() == ["encounter.admitted", "encounter.discharged"]
    assert await intake.rows("SELECT 1 FROM incoming_file WHERE sealed IS NOT NULL") == []


async def test_a_large_file_is_kept_part_by_part_and_read_with_its_progress(
    client: Client, intake: Intake, files: IncomingFiles
) -> None:
    """Larger than any part: messages cross the parts' bounds."""
    filler = b"ZZZ|" + b"x" * 60_000 + b"\r"
    day = b"".join(adt("A08", control_id=str(n), mrn=f"M{n}", visit=f"V{n}") + filler for n in range(40))
    kept = await client.ask("POST", "/files", Role.INTEGRATION, data=day)
    assert kept.body["size"] == len(day)
    parts = await intake.rows("SELECT sealed FROM incoming_file_part ORDER BY number")
    assert len(parts) == -(-len(day) // PART_BYTES)
    assert not any(b"GENHOSP" in part["sealed"] for part in parts)
    waiting = (await client.ask("GET", kept.headers["location"], Role.OPS)).body
    assert (waiting["messages"], waiting["done"]) == (40, 0)
    async with running(files.run):
        report = await done(client, kept.headers["location"])
    assert (report["outcomes"], report["done"]) == ({"accepted": 40}, 40)
    assert await intake.rows("SELECT 1 FROM incoming_file_part") == []


async def test_a_file_that_breaks_off_or_holds_too_long_a_message_leaves_nothing(
    client: Client, intake: Intake, files: IncomingFiles
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield adt("A01") + b"x" * PART_BYTES
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await files.keep("day.hl7", "upload", broken())
    huge = adt("A01") + b"ZZZ|" + b"x" * LONGEST_MESSAGE
    refused = await client.ask("POST", "/files", Role.INTEGRATION, data=huge)
    assert (refused.status, refused.body["type"]) == (413, "urn:handoff:problem:message-too-long")
    assert await intake.rows("SELECT 1 FROM incoming_file UNION ALL SELECT 1 FROM incoming_file_part") == []


async def test_a_file_whose_reader_died_goes_on_where_it_was(
    client: Client, intake: Intake, files: IncomingFiles
) -> None:
    kept = await client.ask("POST", "/files", Role.INTEGRATION, data=DAY)
    await intake.database.pool.execute(
        "UPDATE incoming_file SET lease_until = now() - interval '1 second', done = 2, outcomes = '{\"accepted\": 2}'"
    )
    async with running(files.run):
        report = await done(client, kept.headers["location"])
    assert (report["done"], sum(report["outcomes"].values())) == (4, 4)
    again = await client.ask("POST", "/files", Role.INTEGRATION, data=DAY)
    async with running(files.run):
        assert (await done(client, again.headers["location"]))["outcomes"]["duplicate"] >= 2
    assert (await intake.event_types()).count("encounter.discharged") == 1


async def test_fhir_lines_are_of_the_feed_that_is_named(client: Client, intake: Intake, files: IncomingFiles) -> None:
    kept = await client.ask("POST", "/files?feed=general-hospital", Role.INTEGRATION, data=admission())
    nameless = await client.ask("POST", "/files", Role.INTEGRATION, data=admission())
    async with running(files.run):
        assert (await done(client, kept.headers["location"]))["outcomes"] == {"accepted": 1}
        refused = await done(client, nameless.headers["location"])
    assert refused["problems"][0]["reason"] == "unknown-sender"
    assert await intake.event_types() == ["encounter.admitted"]


async def test_a_file_of_one_feed_brings_nothing_of_another(
    client: Client, intake: Intake, files: IncomingFiles
) -> None:
    tokens = client._tokens
    assert tokens is not None
    bound = {"authorization": f"Bearer {tokens.of(Role.INTEGRATION, facilities=['LAKESIDE'])}"}
    assert (await client.ask("POST", "/files", data=DAY, headers=bound)).status == 403
    kept = await client.ask("POST", "/files?feed=lakeside", data=adt("A01"), headers=bound)
    async with running(files.run):
        assert (await done(client, kept.headers["location"]))["outcomes"] == {"rejected": 1}
    assert await intake.event_types() == []


async def test_bad_uploads_are_problems(client: Client) -> None:
    assert (await client.ask("POST", "/files", Role.INTEGRATION, data=b"")).status == 422
    refused = await client.ask("POST", "/files", Role.INTEGRATION, data=b"a,b,c\n1,2,3\n")
    assert (refused.status, refused.body["type"]) == (422, "urn:handoff:problem:no-message")
    assert (await client.ask("GET", "/files", Role.INTEGRATION)).body["items"] == []
    assert (await client.ask("POST", "/files?feed=nowhere", Role.INTEGRATION, data=b"{}")).status == 404
    assert (await client.ask("POST", "/files", Role.OPS, data=DAY)).status == 403
    assert (await client.ask("GET", "/files/0192d5a0-0000-7000-8000-00000000beef", Role.OPS)).status == 404


async def test_a_file_with_the_longest_name_is_taken_once(intake: Intake, files: IncomingFiles, tmp_path: Path) -> None:
    watched = WatchedFolder(FilesSettings(folder=tmp_path, look_every_s=0.05), tmp_path, files, intake.database)
    (tmp_path / ("x" * 251 + ".hl7")).write_bytes(DAY)
    (tmp_path / "\u00ff.hl7").write_bytes(DAY)

    async def taken() -> bool:
        return len(list((tmp_path / "taken").glob("*.hl7"))) == 2

    async with running(watched.run):
        await until(taken)
    assert len(await intake.rows("SELECT 1 FROM incoming_file")) == 2


def files_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if file.is_file()]


async def test_a_watched_folder_is_emptied_and_reports(intake: Intake, files: IncomingFiles, tmp_path: Path) -> None:
    settings = FilesSettings(folder=tmp_path, look_every_s=0.05, max_bytes=4096)
    watched = WatchedFolder(settings, tmp_path, files, intake.database)
    (tmp_path / "day.hl7").write_bytes(DAY)
    (tmp_path / "half.hl7.part").write_bytes(DAY)
    (tmp_path / "huge.hl7").write_bytes(DAY + b"x" * 8192)
    (tmp_path / "table.csv").write_bytes(b"a,b,c\n")
    (tmp_path / "empty.hl7").write_bytes(b"FHS|^~\\&|X\rFTS|0\r")

    async def reported() -> bool:
        return len(list((tmp_path / "reports").glob("*.json"))) == 4

    async with running(watched.run, files.run):
        await until(reported)
    [report] = (tmp_path / "reports").glob("*-day.hl7.json")
    assert orjson.loads(report.read_bytes())["outcomes"] == {"accepted": 2, "rejected": 1, "duplicate": 1}
    assert files_in(tmp_path) == ["half.hl7.part"]
    assert sorted(files_in(tmp_path / "refused")) == ["huge.hl7", "table.csv"]
    assert "no message" in orjson.loads((tmp_path / "reports" / "table.csv.json").read_bytes())["refused"]
    assert len(files_in(tmp_path / "taken")) == 2
    assert await intake.event_types() == ["encounter.admitted", "encounter.discharged"]


async def test_a_folder_named_as_a_feed_takes_what_names_no_sender(
    intake: Intake, files: IncomingFiles, tmp_path: Path
) -> None:
    watched = WatchedFolder(FilesSettings(folder=tmp_path, look_every_s=0.05), tmp_path, files, intake.database)
    for name in ("general-hospital", "nowhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stays.ndjson").write_bytes(admission())

    async def reported() -> bool:
        return len(list((tmp_path / "reports").glob("*.json"))) == 1

    async with running(watched.run, files.run):
        await until(reported)
    [report] = (tmp_path / "reports").glob("*.json")
    assert orjson.loads(report.read_bytes())["outcomes"] == {"accepted": 1}
    assert [files_in(tmp_path / name) for name in ("general-hospital", "nowhere")] == [[], ["stays.ndjson"]]
    assert await intake.event_types() == ["encounter.admitted"]

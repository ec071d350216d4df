"""The watched folder: a file that lies still is kept, then moved to `taken`; its report is written to `reports`.

What lies in a folder below it that is named as a feed is of that feed: JSON names no sender.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import asyncpg
import orjson

from services.intake import file_store
from services.intake.batches import MessageTooLongError
from services.intake.incoming_files import LONGEST_MESSAGE, PART_BYTES, IncomingFiles, NoMessageError
from services.intake.settings import FilesSettings
from shared.metrics import WORK_ALIVE
from shared.postgres import Database
from shared.telemetry import log

TAKEN, REFUSED, REPORTS = "taken", "refused", "reports"
UNFINISHED = (".part", ".tmp", ".filepart")
# Of a name, in bytes: with an id before it and an ending behind, it must still be a name (255 bytes at most).
MOST_OF_NAME = 200

Stamp = tuple[int, int]


class WatchedFolder:
    def __init__(self, settings: FilesSettings, folder: Path, files: IncomingFiles, database: Database) -> None:
        self._settings = settings
        self._folder = folder
        self._files = files
        self._database = database
        self._seen: dict[Path, Stamp] = {}
        self._reading: dict[UUID, str] = {}
        self._kept: dict[tuple[Path, Stamp], UUID] = {}
        """What is kept and could not be moved: it is not kept a second time."""

    async def run(self) -> None:
        """Looks again and again, until cancelled."""
        while True:
            try:
                # Again each time: a share that is not there when intake starts must not keep the feeds from starting.
                for name in (TAKEN, REFUSED, REPORTS):
                    await asyncio.to_thread((self._folder / name).mkdir, parents=True, exist_ok=True)
                await self.look()
                WORK_ALIVE.labels("folder").set_to_current_time()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("watched folder not read", error=error, retry_in=self._settings.look_every_s)
            await asyncio.sleep(self._settings.look_every_s)

    async def look(self) -> None:
        """Takes the files that have not changed since the last look, and writes the reports that are due."""
        found = await asyncio.to_thread(self._list)
        for file, stamp in found.items():
            if self._seen.get(file) == stamp:
                try:
                    await self._take(file, stamp)
                except OSError as error:  # one file that can't be read or moved must not keep the others waiting
                    log.warning("file not taken", error=error, retry_in=self._settings.look_every_s)
        self._seen = found
        for file_id in list(self._reading):
            await self._report(file_id)

    def _list(self) -> dict[Path, Stamp]:
        return {
            file: (stat.st_size, stat.st_mtime_ns)
            for folder in self._folders() for file in sorted(folder.iterdir())
            if file.is_file() and not file.is_symlink() and not file.name.startswith(".")
            and file.suffix not in UNFINISHED and (stat := file.stat()).st_size
        }  # fmt: skip

    def _folders(self) -> Iterator[Path]:
        yield self._folder
        for name in self._files.feed_names:
            below = self._folder / name
            if name not in {TAKEN, REFUSED, REPORTS} and below.is_dir() and not below.is_symlink():
                yield below

    async def _take(self, file: Path, stamp: Stamp) -> None:
        """Kept first, moved after: whoever finds it here once more finds its messages known."""
        if stamp[0] > self._settings.max_bytes:
            await self._refuse(file, f"larger than {self._settings.max_bytes} bytes")
            return
        file_id = self._kept.get((file, stamp))
        if file_id is None:
            try:
                feed = file.parent.name if file.parent != self._folder else None
                kept = await self._files.keep(file.name, "folder", _content_of(file), feed)
            except MessageTooLongError:
                await self._refuse(file, f"a message in it is longer than {LONGEST_MESSAGE} bytes")
                return
            except NoMessageError:
                await self._refuse(file, "there is no message in it")
                return
            file_id = self._kept[file, stamp] = kept.id
        name = shortened(file.name)
        await asyncio.to_thread(file.rename, self._folder / TAKEN / f"{file_id}-{name}")
        del self._kept[file, stamp]
        self._reading[file_id] = name

    async def _refuse(self, file: Path, why: str) -> None:
        report = orjson.dumps({"name": file.name, "refused": why}, option=orjson.OPT_INDENT_2)
        await asyncio.to_thread((self._folder / REPORTS / f"{shortened(file.name)}.json").write_bytes, report)
        await asyncio.to_thread(file.rename, self._folder / REFUSED / file.name)
        log.warning("file refused", reason=why)

    async def _report(self, file_id: UUID) -> None:
        async with self._database.pool.acquire() as connection:
            row = await file_store.one(connection, file_id)
        if row is None or row["state"] != "done":
            return
        name = self._reading.pop(file_id)
        report = orjson.dumps(row, default=str, option=orjson.OPT_INDENT_2)
        await asyncio.to_thread((self._folder / REPORTS / f"{file_id}-{name}.json").write_bytes, report)


async def _content_of(file: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(file.open, "rb") as opened:
        while piece := await asyncio.to_thread(opened.read, PART_BYTES):
            yield piece


def shortened(name: str) -> str:
    """The end of a long name, where the ending is."""
    return os.fsdecode(os.fsencode(name)[-MOST_OF_NAME:])

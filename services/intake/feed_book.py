"""The feeds in force. The file may change while intake runs: a good one takes over, a broken one is refused."""

import asyncio
import signal
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from services.intake.feed_file import BrokenFeedsError, FileProblem, read_feeds_file
from services.intake.feeds import Feed, Feeds
from services.intake.unknown_codes import Tally
from shared.metrics import FEEDS_FILE_REFUSED, FEEDS_RELOADS
from shared.telemetry import log

LOOK_EVERY_S = 2.0


class Reloaded(StrEnum):
    TAKEN = "taken"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class Reload(NamedTuple):
    """What came of reading the file again; `problems` where it was refused."""

    outcome: Reloaded
    at: datetime
    problems: tuple[FileProblem, ...] = ()


class FeedBook:
    """The feeds in force, and what was sent on them that nobody understood."""

    def __init__(self, path: Path, feeds: Feeds) -> None:
        self._path = path
        self._feeds = feeds
        self._seen = _stamp(path)
        self.unknown = Tally()
        self.last = Reload(Reloaded.TAKEN, datetime.now(UTC))
        """The last attempt: while it says `refused`, older feeds are in force than the file has."""
        self.in_force_since = self.last.at

    @property
    def feeds(self) -> tuple[Feed, ...]:
        return self._feeds.feeds

    def find(self, application: str, facility: str, host: str) -> Feed | None:
        return self._feeds.find(application, facility, host)

    def named(self, name: str, facility: str) -> Feed | None:
        return self._feeds.named(name, facility)

    def not_understood(self, feed: Feed, field: str, code: str) -> None:
        self.unknown.count(feed.name, field, code)

    async def reload(self) -> Reload:
        """Reads the file again; what it says counts from the next message on, unless it is broken."""
        self._seen = _stamp(self._path)
        try:
            feeds = await asyncio.to_thread(self._read)
        except BrokenFeedsError as error:
            self.last = Reload(Reloaded.REFUSED, datetime.now(UTC), error.problems)
            for problem in error.problems:
                log.error("feeds file refused", feed=problem.feed, setting=problem.key, reason=problem.reason)
        else:
            self._take(feeds)
        FEEDS_FILE_REFUSED.set(self.last.outcome is Reloaded.REFUSED)
        FEEDS_RELOADS.labels(self.last.outcome.value).inc()
        return self.last

    def _read(self) -> Feeds:
        feeds = read_feeds_file(self._path)
        if self._feeds.feeds and not feeds.feeds:
            # An editor that empties the file before it writes must not cut every hospital off.
            raise BrokenFeedsError([FileProblem(None, "feeds", "has no feed at all")])
        return feeds

    def _take(self, feeds: Feeds) -> None:
        now = datetime.now(UTC)
        if feeds == self._feeds:
            self.last = Reload(Reloaded.UNCHANGED, now)
            return
        # A feed that says the same stays the same object: what was kept for it stays valid and cheap to find.
        known = {feed.name: feed for feed in self._feeds.feeds}
        kept = [known[feed.name] if known.get(feed.name) == feed else feed for feed in feeds.feeds]
        self._feeds = Feeds(feeds=tuple(kept))
        self.last = Reload(Reloaded.TAKEN, now)
        self.in_force_since = now
        log.info("feeds file taken", count=len(kept))

    async def watch(self) -> None:
        """Reads the file again when it has changed, and on SIGHUP, until cancelled."""
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, RuntimeError, ValueError):  # not the main thread: the file alone is watched
            loop.add_signal_handler(signal.SIGHUP, told.set)
        try:
            while True:
                with suppress(TimeoutError):
                    await asyncio.wait_for(told.wait(), LOOK_EVERY_S)
                if told.is_set() or _stamp(self._path) != self._seen:
                    told.clear()
                    await self.reload()
        finally:
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.remove_signal_handler(signal.SIGHUP)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """What tells two states of a file apart, also where a mounted link is exchanged; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino

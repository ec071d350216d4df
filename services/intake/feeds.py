"""Feeds: which sender is which hospital, and how to read what it sends. Configured in a YAML file."""

import ipaddress
from datetime import datetime, time, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Protocol, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from typing_extensions import override

from services.intake.certificates import ClientCertificate
from services.intake.codes import PATIENT_CLASSES, disposition_of
from shared.events.people import Facility

DEFAULT_FEED = "default"
ANY = "*"
# Of a sender that no feed names: the standard allows MSH-4 227 characters.
LONGEST_FACILITY = 227


def _nubc(code: str) -> str:
    if disposition_of(code, {}).nubc is None:
        raise ValueError("is no code of NUBC FL17, such as 01, 03 or 20")
    return code


def _two_digits(code: object) -> object:
    """YAML reads an unquoted 01 as the number 1."""
    return f"{code:02d}" if isinstance(code, int) and not isinstance(code, bool) else code


def _class(code: str) -> str:
    if code not in PATIENT_CLASSES:
        raise ValueError("is no code of HL7 table 0004, such as E, I or O")
    return code


def _zoned(facility: Facility) -> Facility:
    try:
        ZoneInfo(facility.time_zone)
    except (LookupError, ValueError, OSError):
        raise ValueError("time_zone is no IANA zone, such as America/Chicago") from None
    return facility


NubcCode = Annotated[str, BeforeValidator(_two_digits), AfterValidator(_nubc)]
PatientClass = Annotated[str, AfterValidator(_class)]
ZonedFacility = Annotated[Facility, AfterValidator(_zoned)]


class Acknowledging(StrEnum):
    """Which acknowledgements a feed gets: those its messages ask for (MSH-15, MSH-16), or always one of a mode."""

    AS_ASKED = "as-asked"
    ORIGINAL = "original"
    ENHANCED = "enhanced"


class Rhythm(BaseModel):
    """How long a feed may usually be silent, by day and by night of its facility."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quiet_minutes: int = Field(ge=1, le=10_080, description="Longest usual silence by day, in minutes.")
    quiet_minutes_at_night: int | None = Field(
        default=None, ge=1, le=10_080, description="The same outside the day's hours; default: as by day."
    )
    day: tuple[time, time] = Field(default=(time(7), time(19)), description="When the day begins and ends, local time.")

    def longest_silence(self, local: time) -> timedelta:
        """At this local time of the facility."""
        begins, ends = self.day
        is_day = begins <= local < ends if begins <= ends else not ends <= local < begins
        by_night = self.quiet_minutes_at_night or self.quiet_minutes
        return timedelta(minutes=self.quiet_minutes if is_day else by_night)


class Sender(BaseModel):
    """MSH-3.1 and MSH-4.1 of a sender; `*` stands for any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    application: str = Field(default=ANY, description="MSH-3.1, or * for any.")
    facility: str = Field(default=ANY, description="MSH-4.1, or * for any.")


class Feed(BaseModel):
    """One sender's profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Name of the feed: in metrics, counts, the console.")
    senders: tuple[Sender, ...] = Field(default=(), description="Who sends on this feed.")
    facility: ZonedFacility = Field(description="The facility, with its IANA time zone.")
    facilities: dict[str, ZonedFacility] = Field(
        default_factory=dict, description="Facility as sent (PV1-3.4) -> facility, where a feed speaks for several."
    )
    fallback_charset: str = Field(default="cp1252", description="Charset of undeclared bytes that are not UTF-8.")
    charset: str | None = Field(
        default=None, description="Charset of all messages, whatever MSH-18 says: for a sender that says a wrong one."
    )
    processing_ids: tuple[str, ...] = Field(
        default=("P",), description="MSH-11 values taken; * is any, for a trial feed."
    )
    triggers: frozenset[str] | None = Field(
        default=None, description="Triggers taken (A01, SIU^S12); others are stored without effect. Default: all."
    )
    acknowledge: Acknowledging = Field(
        default=Acknowledging.AS_ASKED, description="as-asked, or always original (AA) or enhanced (CA)."
    )
    rhythm: Rhythm | None = Field(default=None, description="How long this feed may usually be silent.")
    authorities: dict[str, str] = Field(default_factory=dict, description="Assigning authority as sent -> its name.")
    dispositions: dict[str, NubcCode] = Field(default_factory=dict, description="PV1-36 as sent -> NUBC FL17 code.")
    classes: dict[str, PatientClass] = Field(default_factory=dict, description="PV1-2 as sent -> HL7 table 0004 code.")
    certificates: tuple[ClientCertificate, ...] = Field(
        default=(), description="Client certificates that may send on this feed over MLLP; with none, any sender may."
    )
    max_per_second: float | None = Field(
        default=None, gt=0, description="Messages a second taken over MLLP; a faster feed is read more slowly."
    )

    @field_validator("fallback_charset", "charset")
    @classmethod
    def _known_charset(cls, name: str | None) -> str | None:
        try:
            "".encode(name or "ascii")
        except LookupError:
            raise ValueError("is no charset that Python knows") from None
        return name

    @property
    def places(self) -> frozenset[str]:
        """The codes of all facilities that the feed speaks for."""
        return frozenset({self.facility.code, *(place.code for place in self.facilities.values())})

    def takes(self, processing_id: str) -> bool:
        """Whether messages with that MSH-11 are taken; one that says none is."""
        return not processing_id or processing_id in self.processing_ids or ANY in self.processing_ids

    @override
    def __hash__(self) -> int:
        return hash(self.name)

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.facility.time_zone)

    def place(self, code: str | None) -> Facility:
        """The facility that a message names in its location; the feed's own where it names none that is mapped."""
        return self.facilities.get(code or "", self.facility)

    def longest_silence(self, at: datetime) -> timedelta | None:
        """How long the feed may be silent at this instant; None where no rhythm is configured."""
        return self.rhythm.longest_silence(at.astimezone(self.zone).time()) if self.rhythm else None

    def authority(self, namespace: str | None, universal_id: str | None = None) -> str:
        """The name of an assigning authority; the facility's own where the message names none."""
        for said in (universal_id, namespace):
            if said and said in self.authorities:
                return self.authorities[said]
        return namespace or universal_id or self.facility.code


class FeedDirectory(Protocol):
    """Where the readers of messages look feeds up."""

    @property
    def feeds(self) -> tuple[Feed, ...]: ...

    def find(self, application: str, facility: str, host: str) -> Feed | None: ...

    def named(self, name: str, facility: str) -> Feed | None: ...

    def not_understood(self, feed: Feed, field: str, code: str) -> None: ...


class Feeds(BaseModel):
    """All feeds of the file. Sender pairs are unique; the most specific one wins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feeds: tuple[Feed, ...] = ()

    @model_validator(mode="after")
    def _one_feed_a_sender(self) -> Self:
        names = [feed.name for feed in self.feeds]
        pairs = [(s.application, s.facility) for feed in self.feeds for s in feed.senders]
        for listed, what in ((names, "name"), (pairs, "sender")):
            if len(set(listed)) != len(listed):
                raise ValueError(f"two feeds have the same {what}")
        if DEFAULT_FEED in names:
            raise ValueError(f"the name {DEFAULT_FEED} is taken: it is the feed of unknown senders on loopback")
        return self

    @cached_property
    def _by_sender(self) -> dict[tuple[str, str], Feed]:
        return {(s.application, s.facility): feed for feed in self.feeds for s in feed.senders}

    def find(self, application: str, facility: str, host: str) -> Feed | None:
        """The sender's feed. An unknown sender has none, but on loopback, where it runs under `default`, in UTC."""
        known = self._by_sender
        for pair in ((application, facility), (ANY, facility), (application, ANY), (ANY, ANY)):
            if pair in known:
                return known[pair]
        return unknown_sender(facility) if is_loopback(host) else None

    def named(self, name: str, facility: str) -> Feed | None:
        """The feed of that name, for a message read once more."""
        if name == DEFAULT_FEED:
            return unknown_sender(facility)
        return next((feed for feed in self.feeds if feed.name == name), None)

    def not_understood(self, feed: Feed, field: str, code: str) -> None:
        """Nobody counts here: see FeedBook."""


def unknown_sender(facility: str) -> Feed:
    return _unknown_sender(facility[:LONGEST_FACILITY])


@lru_cache(maxsize=256)
def _unknown_sender(facility: str) -> Feed:
    return Feed(name=DEFAULT_FEED, facility=Facility(code=facility or DEFAULT_FEED, time_zone="UTC"))


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_feeds(path: Path) -> Feeds:
    """Raises OSError when the file can't be read, ValueError (pydantic's or yaml's) when it says something wrong."""
    return Feeds.model_validate(yaml.safe_load(path.read_text()) or {})

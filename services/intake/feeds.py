"""Feeds: which sender is which hospital, and how to read what it sends. Configured in a YAML file."""

import ipaddress
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from typing_extensions import override

from shared.events.people import Facility

DEFAULT_FEED = "default"
ANY = "*"


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
    facility: Facility = Field(description="The facility, with its IANA time zone.")
    fallback_charset: str = Field(default="cp1252", description="Charset of undeclared bytes that are not UTF-8.")
    processing_ids: tuple[str, ...] = Field(default=("P",), description="MSH-11 values taken on this feed.")
    authorities: dict[str, str] = Field(default_factory=dict, description="Assigning authority as sent -> its name.")
    dispositions: dict[str, str] = Field(default_factory=dict, description="PV1-36 as sent -> NUBC FL17 code.")
    classes: dict[str, str] = Field(default_factory=dict, description="PV1-2 as sent -> HL7 table 0004 code.")

    @field_validator("fallback_charset")
    @classmethod
    def _known_charset(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError:
            raise ValueError("is no charset that Python knows") from None
        return name

    @field_validator("facility")
    @classmethod
    def _known_zone(cls, facility: Facility) -> Facility:
        try:
            ZoneInfo(facility.time_zone)
        except (LookupError, ValueError, OSError):
            raise ValueError("time_zone is no IANA zone") from None
        return facility

    @override
    def __hash__(self) -> int:
        return hash(self.name)

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.facility.time_zone)

    def authority(self, namespace: str | None, universal_id: str | None = None) -> str:
        """The name of an assigning authority; the facility's own where the message names none."""
        for said in (universal_id, namespace):
            if said and said in self.authorities:
                return self.authorities[said]
        return namespace or universal_id or self.facility.code


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
        for pair in ((application, facility), (ANY, facility), (application, ANY)):
            if pair in known:
                return known[pair]
        return unknown_sender(facility) if is_loopback(host) else None

    def named(self, name: str, facility: str) -> Feed | None:
        """The feed of that name, for a message read once more."""
        if name == DEFAULT_FEED:
            return unknown_sender(facility)
        return next((feed for feed in self.feeds if feed.name == name), None)


@lru_cache(maxsize=256)
def unknown_sender(facility: str) -> Feed:
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

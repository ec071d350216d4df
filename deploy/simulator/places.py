"""The simulated hospitals: one per feed, with wards and beds, and the people and organisations that they name."""

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import yaml

WARDS = {"MED": "4W", "SUR": "5N", "CAR": "6E", "NEU": "6W", "ICU": "ICU", "PUL": "4E"}
EMERGENCY = "ED"
# Local words of a feed whose map translates them; the others send the NUBC codes themselves.
WORDS = {"01": "HOME", "03": "SNF", "06": "HHA", "07": "AMA", "20": "EXPIRED", "62": "REHAB", "50": "HOSPICE"}


@dataclass(frozen=True, slots=True)
class Hospital:
    """One feed's facility as it names itself in its messages."""

    feed: str
    application: str
    code: str
    zone: ZoneInfo
    state: str
    npi: str
    dispositions: frozenset[str]

    def disposition(self, nubc: str) -> str:
        word = WORDS.get(nubc)
        return word if word in self.dispositions else nubc

    def bed(self, random: Random, ward: str) -> str:
        """PV1-3 of a bed in the ward."""
        if ward == EMERGENCY:
            return f"ED^{random.randrange(1, 25):02d}^A^{self.code}"
        return f"{WARDS[ward]}^{random.randrange(1, 30):02d}^{random.choice('AB')}^{self.code}"


@dataclass(frozen=True, slots=True)
class Roster:
    """Who may be named: attending and primary-care practitioners, and where patients go."""

    attending: tuple[str, ...]
    primary: tuple[tuple[str, str], ...]
    """(NPI, code of the practice)"""
    receiving: dict[str, str]
    """NUBC disposition -> code of the organisation"""


def hospitals(feeds: Path) -> list[Hospital]:
    listed = yaml.safe_load(feeds.read_text(encoding="utf-8"))["feeds"]
    return [_hospital(feed) for feed in listed]


def _hospital(feed: dict[str, Any]) -> Hospital:
    facility = feed["facility"]
    sender = (feed.get("senders") or [{}])[0]
    application = sender.get("application", "*")
    return Hospital(
        feed=feed["name"],
        application="ADT1" if application == "*" else application,
        code=facility["code"] if sender.get("facility", "*") == "*" else sender["facility"],
        zone=ZoneInfo(facility["time_zone"]),
        state=facility.get("state", ""),
        npi=facility.get("npi", ""),
        dispositions=frozenset(feed.get("dispositions") or ()),
    )


def roster(file: Path) -> Roster:
    """Sorts the roster's organisations by what they are for; an empty one still gives usable people."""
    listed = yaml.safe_load(file.read_text(encoding="utf-8"))["organisations"] if file.exists() else []
    attending: list[str] = []
    primary: list[tuple[str, str]] = []
    for organisation in listed:
        numbers = [_npi(one) for one in organisation.get("practitioners", [])]
        codes = organisation.get("codes") or []
        if "hospitalist" in organisation["slug"]:
            attending += numbers
        elif codes:
            primary += [(number, codes[0]) for number in numbers]
    known = {code for organisation in listed for code in organisation.get("codes") or []}
    wanted = {"03": "WILLOWCREEK", "06": "EVERGREEN", "62": "STONEBRIDGE", "50": "HARBORHOSPICE"}
    receiving = {disposition: code for disposition, code in wanted.items() if code in known}
    return Roster(tuple(attending or ["1000994925"]), tuple(primary or [("1000000004", "")]), receiving)


def _npi(entry: str | dict[str, Any]) -> str:
    return str(entry["npi"] if isinstance(entry, dict) else entry)

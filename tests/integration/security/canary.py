"""A patient whose every field is a word that occurs nowhere else, and the messages of their stay."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

FACILITY = "GENHOSP"
PCP = "1000000004"
"""An NPI of lakeside-primary-care in deploy/roster.yaml."""


def word() -> str:
    """A word of capital letters; none of them is a hexadecimal digit, so it is never part of an id."""
    return "".join(secrets.choice("GHJKLMNPQRSTVWXZ") for _ in range(10))


def digits(count: int) -> str:
    return str(secrets.randbelow(9) + 1) + "".join(str(secrets.randbelow(10)) for _ in range(count - 1))


@dataclass
class Canary:
    mrn: str = field(default_factory=lambda: f"{word()}7")
    ssn: str = field(default_factory=lambda: digits(9))
    phone: str = field(default_factory=lambda: digits(10))
    birth_date: str = field(default_factory=lambda: f"19{secrets.randbelow(30) + 10}02{secrets.randbelow(18) + 11}")
    words: dict[str, str] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC) - timedelta(hours=3))
    sent: int = 0

    def __getitem__(self, name: str) -> str:
        """The word that stands in this field."""
        return self.words.setdefault(name, word())

    @property
    def tokens(self) -> dict[str, bytes]:
        """What must not be found, by the field's name."""
        born = self.birth_date
        fixed = {"mrn": self.mrn, "ssn": self.ssn, "phone": self.phone}
        dated = {"birth date": f"{born[:4]}-{born[4:6]}-{born[6:]}", "birth date as sent": born}
        return {name: value.encode() for name, value in (fixed | dated | self.words).items()}

    def control_id(self) -> str:
        self.sent += 1
        return f"C{self.sent}-{secrets.token_hex(4)}"

    def pid(self) -> str:
        identifiers = f"{self.mrn}^^^{FACILITY}^MR~{self.ssn}^^^USSSA^SS"
        name = f"{self['family']}^{self['given']}^{self['middle']}"
        address = f"{self['street']}^^{self['city']}^IL^{self['zip']}"
        return (
            f"PID|1||{identifiers}||{name}|{self['maiden']}|{self.birth_date}|F|{self['alias']}||{address}||"
            f"{self.phone}|||||{self['account']}^^^{FACILITY}^AN|{self.ssn}"
        )

    def stay(self, disposition: str = "") -> list[str]:
        doctor = f"{PCP}^{self['doctor family']}^{self['doctor given']}^^^^^^NPI"
        visit = f"{self['visit']}^^^{FACILITY}^VN"
        left = f"{disposition}{'|' * 8}" if disposition else "|" * 8
        admitted = self.started.strftime("%Y%m%d%H%M%S+0000")
        ended = datetime.now(UTC).strftime("%Y%m%d%H%M%S+0000") if disposition else ""
        return [
            f"PD1|||{self['practice']}^^LAKESIDE|{doctor}",
            f"NK1|1|{self['kin family']}^{self['kin given']}|SPO|{self['kin street']}|{self['kin phone']}",
            f"PV1|1|I|4W^401^1^{FACILITY}||||{doctor}||||||||||||{visit}|||||||||||||||||{left}{admitted}|{ended}",
            f"DG1|1||I50.9^{self['diagnosis']}^I10",
            f"IN1|1|{self['plan']}|1|{self['insurer']}{'|' * 12}{self['insured']}",
            f"NTE|1||{self['note']}",
            f"ZPI|1|{self['z segment']}",
        ]

    def message(
        self, trigger: str, minutes: int, segments: Sequence[str] | None = None, version: str = "2.5.1"
    ) -> bytes:
        """An ADT message, recorded so many minutes after the start of the stay."""
        at = (self.started + timedelta(minutes=minutes)).strftime("%Y%m%d%H%M%S+0000")
        head = f"MSH|^~\\&|EPIC|{FACILITY}|HANDOFF|HUB|{at}||ADT^{trigger}|{self.control_id()}|P|{version}"
        body = [self.pid(), *self.stay()] if segments is None else segments
        return "\r".join([head, f"EVN|{trigger}|{at}", *body]).encode() + b"\r"

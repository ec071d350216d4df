"""What tells people apart, written alike for comparing. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from services.intake.codes import NO_IDENTITY
from services.intake.identity.ssn import digits_of, last_four
from services.intake.person import IDENTIFIERS, SSN4
from services.intake.remembering import remembered
from shared.events.people import Identifier

PERSONAL = frozenset({"name", "birth_date", "sex", "address", "phones", "identifiers", SSN4})
"""Fields of a patient's record that bear on who it is."""
PHONE_DIGITS = 10
LONGEST_COMPARED = 100
_POSTAL = re.compile(r"(\d{5})(?:-\d{4})?")
_STATE_LENGTH = 2


class Residence(NamedTuple):
    street: str = ""
    city: str = ""
    state: str = ""
    postal: str = ""


class Traits(NamedTuple):
    """Normalised: letters and digits only, lower case, without accents; what is unknown is empty.

    `phones` are the last ten digits, `ssn4` the last four, `numbers` the record numbers that facilities assigned.
    """

    family: str = ""
    given: str = ""
    suffix: str = ""
    birth_date: str = ""
    sex: str = ""
    residence: Residence = Residence()
    phones: frozenset[str] = frozenset()
    ssn4: str = ""
    numbers: frozenset[Identifier] = frozenset()

    @property
    def authorities(self) -> frozenset[str]:
        """Who has given this person a number."""
        return frozenset(one.authority for one in self.numbers)


def plain(text: str) -> str:
    """The letters and digits of the beginning of a name, without case and accents: comparing takes the product of two
    lengths, and a field may be as long as a frame.
    """
    return _plain(text[:LONGEST_COMPARED])


@lru_cache(maxsize=8192)
def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if letter.isalnum())


def traits_of(values: Mapping[str, Any]) -> Traits:
    """The traits in a record's values (see `patient.values_of`)."""
    identifiers = _identifiers_in(values)
    name: Mapping[str, str] = values.get("name") or {}
    ssn = next((one.value for one in identifiers if one.type == "SS"), "")
    sex = str(values.get("sex") or "").upper()
    return Traits(
        family=plain(name.get("family") or ""),
        given=plain(name.get("given") or ""),
        suffix=plain(name.get("suffix") or ""),
        birth_date=str(values.get("birth_date") or ""),
        sex=sex if sex in {"F", "M"} else "",
        residence=residence_in(values.get("address") or ""),
        phones=phones_in(values.get("phones") or ()),
        ssn4=values.get(SSN4) or last_four(ssn),
        numbers=frozenset(one for one in identifiers if one.type not in NO_IDENTITY),
    )


def _identifiers_in(values: Mapping[str, Any]) -> list[Identifier]:
    return [
        Identifier(authority=name.removeprefix(IDENTIFIERS), type=kind, value=value)
        for name, listed in values.items()
        if name.startswith(IDENTIFIERS)
        for kind, value in listed or ()
    ]


def phones_in(told: Iterable[str]) -> frozenset[str]:
    """Numbers of ten digits; fillers (all one digit, or as `…000-0000`) are none."""
    found = (digits_of(phone)[-PHONE_DIGITS:] for phone in told)
    return frozenset(one for one in found if len(one) == PHONE_DIGITS and len(set(one[3:])) > 1 and one[0] != "0")


@remembered(4096)
def residence_in(address: str) -> Residence:
    """An address of one line (street, …, city, state, postal code, country) by its parts."""
    parts = [part.strip() for part in address.split(",") if part.strip()]
    place = next((nth for nth in range(len(parts) - 1, 0, -1) if _POSTAL.fullmatch(parts[nth])), None)
    if place is None:
        return Residence(street=plain(parts[0])) if parts else Residence()
    before = parts[:place]
    state = plain(before.pop()) if len(before) > 1 and len(before[-1]) == _STATE_LENGTH else ""
    city = plain(before.pop()) if len(before) > 1 else ""
    return Residence(plain(before[0]), city, state, parts[place][:5])

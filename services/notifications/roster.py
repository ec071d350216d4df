"""The roster as people write it: organisations and by what an event leads to them. Pure.

A full file takes the place of everything before. One that would remove more than a fifth of what leads anywhere is
refused unless confirmed: a truncated export must not silence a hospital.
"""

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from services.notifications.announcing import STAYS
from services.notifications.directory import panel_key
from services.notifications.routing import STRENGTH
from shared.events.notifications import Acknowledgement

LARGEST_REMOVAL = 0.2
SLUG = r"^[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?$"
FIRST_DAY, LAST_DAY = date.min, date.max


class RosterError(Exception):
    """The file can't be used; the message names the place and what is wanted there."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Spelled(_Part):
    first: date = Field(default=FIRST_DAY, alias="from")
    last: date = Field(default=LAST_DAY, alias="until")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first > self.last:
            raise ValueError("`from` must not be after `until`")
        return self


class RosterPractitioner(_Spelled):
    npi: str = Field(pattern=r"^\d{10}$")


class RosterCode(_Spelled):
    code: str = Field(min_length=1, max_length=100)


class RosterPatient(_Spelled):
    authority: str = Field(min_length=1, max_length=100)
    value: str = Field(min_length=1, max_length=100)


class RosterSubscription(_Spelled):
    facility: str = Field(min_length=1, max_length=100)


ACKNOWLEDGEABLE = tuple(fact.TYPE for fact in STAYS)
"""Notices of tasks and referrals need not be: those have ladders of their own."""


class RosterAcknowledgement(_Part):
    """Notices of this type must be acknowledged by the organisation, so soon; on whichever of the `bases` they go there
    (none named: on any). `source`: who says so.
    """

    notice: str
    priority: Acknowledgement
    bases: tuple[str, ...] = Field(default=(), max_length=len(STRENGTH))
    source: str = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _known_words(self) -> Self:
        if self.notice not in ACKNOWLEDGEABLE:
            raise ValueError(f"`notice` is one of {', '.join(ACKNOWLEDGEABLE)}")
        strange = sorted(set(self.bases) - set(STRENGTH))
        if strange:
            raise ValueError(f"`bases` are of {', '.join(STRENGTH)}")
        return self


def _short(field: str) -> BeforeValidator:
    """A plain value stands for an entry without dates."""
    return BeforeValidator(lambda given: {field: given} if isinstance(given, str) else given)


class RosterOrganisation(_Spelled):
    slug: str = Field(pattern=SLUG)
    name: str = Field(min_length=1, max_length=200)
    kafka: bool = False
    practitioners: tuple[Annotated[RosterPractitioner, _short("npi")], ...] = ()
    codes: tuple[Annotated[RosterCode, _short("code")], ...] = ()
    panel: tuple[RosterPatient, ...] = ()
    subscriptions: tuple[Annotated[RosterSubscription, _short("facility")], ...] = ()
    must_acknowledge: tuple[RosterAcknowledgement, ...] = Field(default=(), max_length=50)

    def asked(self) -> list[dict[str, Any]]:
        """What must be acknowledged, as it is stored."""
        return [one.model_dump(mode="json") for one in self.must_acknowledge]


class Link(NamedTuple):
    """One row of `membership`: by this key an event leads to the organisation, on these days."""

    kind: str
    key: str
    organisation: str
    first: date
    last: date


class Roster(_Part):
    version: Literal[1] = 1
    organisations: tuple[RosterOrganisation, ...] = Field(max_length=100_000)

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        slugs = [one.slug for one in self.organisations]
        if len(slugs) != len(set(slugs)):
            raise ValueError("an organisation stands in it twice")
        return self

    def links(self) -> list[Link]:
        """In a stable order, each once."""
        return sorted({link for one in self.organisations for link in _links(one)})

    @property
    def digest(self) -> str:
        """The same for the same roster as ever: what an older file could not say counts only where it is said."""
        silent = {number: {"must_acknowledge"} for number, o in enumerate(self.organisations) if not o.must_acknowledge}
        return hashlib.sha256(self.model_dump_json(exclude={"organisations": silent}).encode()).hexdigest()


def _links(one: RosterOrganisation) -> Iterator[Link]:
    for who in one.practitioners:
        yield Link("practitioner", who.npi, one.slug, who.first, who.last)
    for named in one.codes:
        yield Link("code", named.code, one.slug, named.first, named.last)
    for patient in one.panel:
        yield Link("panel", panel_key(patient.authority, patient.value), one.slug, patient.first, patient.last)
    for heard in one.subscriptions:
        yield Link("subscription", heard.facility, one.slug, heard.first, heard.last)


def removed(before: set[tuple[str, str, str]], after: Roster) -> int:
    """How many of the (kind, key, organisation) known before are gone."""
    return len(before - {(link.kind, link.key, link.organisation) for link in after.links()})


def removes_too_much(before: int, gone: int) -> bool:
    return gone > LARGEST_REMOVAL * before


def read_roster(file: Path) -> Roster:
    """Raises RosterError; patients' identifiers are never in its message."""
    try:
        said: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        return Roster.model_validate(said)
    except OSError as error:
        raise RosterError(f"{file} can't be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise RosterError(f"{file} is no YAML" + (f" (line {mark.line + 1})" if mark else "")) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RosterError(f"{file}: {'.'.join(str(part) for part in first['loc'])}: {first['type']}") from None

"""People for the tests of identity, by what tells them apart."""

from typing import Any

from services.intake.identity.traits import Residence, Traits, plain
from shared.events.people import Identifier

HOME = Residence("1200wlakest", "chicago", "il", "60607")


def person(given: str = "Eleanor", family: str = "Marsh", **changes: Any) -> Traits:
    """Eleanor Marsh of Chicago, known at General Hospital; what differs is given."""
    values: dict[str, Any] = {
        "given": plain(given),
        "family": plain(family),
        "birth_date": "1948-02-14",
        "sex": "F",
        "residence": HOME,
        "phones": frozenset({"3125550142"}),
        "ssn4": "6789",
        "numbers": numbers("GENHOSP", "1001"),
        **changes,
    }
    return Traits(**values)


def elsewhere(given: str = "Eleanor", family: str = "Marsh", **changes: Any) -> Traits:
    """The same at Lakeside, under another number."""
    return person(given, family, **{"numbers": numbers("LAKESIDE", "7702"), **changes})


def numbers(authority: str, value: str) -> frozenset[Identifier]:
    return frozenset({Identifier(authority=authority, value=value)})

"""Who is compared with whom: people who share one of a few keys. Pure."""

from collections.abc import Iterator
from hashlib import blake2b

from services.intake.identity.placeholders import Placeholders
from services.intake.identity.traits import Traits


def keys_of(person: Traits, placeholders: Placeholders) -> list[int]:
    """The blocking keys, as 64-bit hashes: the table that holds them names nobody. None for a placeholder.

    Two passes are those of the CDC's phdi with what it blocks by (birth date; postal code with four letters of each
    name and sex); phone and SSN bring those together whose name or birth date was mistyped.
    """
    if placeholders.names_nobody(person):
        return []
    born = placeholders.known_birth_date(person.birth_date)
    return sorted({_hashed(text) for text in _texts(person, born)})


def _texts(person: Traits, born: str) -> Iterator[str]:
    if len(born) == len("YYYY-MM-DD"):
        yield f"born {born} family {person.family[:2]}"
        yield f"born {born} given {person.given[:2]}"
    if person.residence.postal:
        yield f"lives {person.residence.postal} {person.given[:4]} {person.family[:4]} {person.sex}"
    for phone in person.phones:
        yield f"phone {phone} {person.sex}"
    if person.ssn4 and born:
        yield f"ssn {person.ssn4} {born[:4]}"


def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), signed=True)

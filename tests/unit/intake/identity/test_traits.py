"""What is kept of a person for comparing, and when a message seems to name somebody else."""

import pytest

from services.intake import patient as people
from services.intake.identity.overlay import suspects_overlay
from services.intake.identity.ssn import last_four
from services.intake.identity.traits import Residence, phones_in, residence_in, traits_of
from services.intake.message import OrderKey
from services.intake.person import IDENTIFIERS
from shared.events.people import Identifier

KNOWN = {"name": {"family": "Marsh", "given": "Eleanor"}, "birth_date": "1948-02-14", "sex": "F"}
OTHER = {"name": {"family": "Quill", "given": "Robert"}, "birth_date": "1990-07-30", "sex": "M"}


@pytest.mark.parametrize(
    ("ssn", "kept"),
    [
        ("123-45-6780", "6780"), ("523456789", "6789"), ("000-12-3456", ""), ("999-99-9999", ""), ("123-45-6789", ""),
        ("666-12-3456", ""), ("900-12-3456", ""), ("523-00-6789", ""), ("523-45-0000", ""), ("111-11-1111", ""),
        ("6789", ""), ("", ""),
    ],
)  # fmt: skip
def test_only_the_last_four_of_a_number_that_may_exist_are_kept(ssn: str, kept: str) -> None:
    assert last_four(ssn) == kept


def test_phones_are_compared_by_ten_digits_and_fillers_are_none() -> None:
    assert phones_in(["(312) 555-0142", "+1 312 555 0142", "3125550142"]) == {"3125550142"}
    assert phones_in(["000-000-0000", "999-999-9999", "312-000-0000", "555-0142", ""]) == frozenset()


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("1200 W Lake St, Chicago, IL, 60607, USA", Residence("1200wlakest", "chicago", "il", "60607")),
        ("1200 W. Lake St., Apt 4, Chicago, IL, 60607-1234", Residence("1200wlakest", "chicago", "il", "60607")),
        ("12 Río Bravo", Residence(street="12riobravo")),
        ("9 Elm Ct, 02108", Residence("9elmct", "", "", "02108")),
        ("", Residence()),
    ],
)
def test_addresses_by_their_parts(address: str, parts: Residence) -> None:
    assert residence_in(address) == parts


def test_traits_of_a_record() -> None:
    found = traits_of(
        KNOWN
        | {
            "name": {"family": "O'Núñez-Marsh", "given": "Éva "},
            f"{IDENTIFIERS}GENHOSP": [["MR", "001"], ["SS", "523-45-6789"], ["VN", "9"]],
            "phones": ["312-555-0142"],
        }
    )
    assert (found.family, found.given, found.ssn4) == ("onunezmarsh", "eva", "6789")
    assert found.numbers == {Identifier(authority="GENHOSP", value="001")}
    assert found.authorities == {"GENHOSP"}
    assert traits_of({}).family == ""


@pytest.mark.parametrize(
    ("said", "suspected"),
    [
        (OTHER, True),
        (KNOWN, False),
        ({}, False),
        (OTHER | {"sex": "F"}, False),
        (OTHER | {"sex": "U"}, False),
        (OTHER | {"sex": None}, False),
        (OTHER | {"birth_date": "1948-02-15"}, False),
        (OTHER | {"birth_date": "1948"}, False),
        (OTHER | {"birth_date": None}, False),
        (OTHER | {"name": {"family": "Marsh", "given": "Robert"}}, False),
        (OTHER | {"name": {"family": "Quill", "given": "Elenor"}}, False),
        (OTHER | {"name": None}, False),
    ],
)
def test_an_overlay_changes_name_birth_date_and_sex_at_once(said: dict[str, object], suspected: bool) -> None:  # noqa: FBT001
    record = people.learn((), OrderKey("2026-03-01", "2026-03-01", 0, "1", "a"), KNOWN)
    assert suspects_overlay(record, said) is suspected
    assert not suspects_overlay((), said)
    # Told piecemeal, in several messages, it is known all the same.
    pieces = people.learn((), OrderKey("2026-03-01", "2026-03-01", 0, "1", "a"), {"sex": "F"})
    for nth, field in enumerate(("birth_date", "name")):
        pieces = people.learn(pieces, OrderKey(f"2026-03-0{nth + 2}", "", 0, "1", "a"), {field: KNOWN[field]})
    assert suspects_overlay(pieces, said) is suspected

"""Plausible people, all invented: names, birthdays, addresses and numbers come from the seed alone."""

# ruff: noqa: SIM905  (a list of names reads better without sixty quotation marks)

from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

FAMILIES = (
    "Abara Ahlgren Alvarez Anand Baptiste Becker Bianchi Boateng Brennan Castillo Chen Dalgaard Delacroix Dubois "
    "Eriksen Fitzgerald Fontaine Garcia Haddad Hargrove Hernandez Ibrahim Ivanova Jansen Johnson Kaplan Kowalski "
    "Larsen Lopez Marchetti Mbeki McAllister Mendez Mitchell Nakamura Nguyen Novak Okafor Olsen O'Brien Patel Pereira "
    "Quinn Ramirez Rossi Sanders Schmidt Silva Svensson Takahashi Thompson Vasquez Volkov Walker Washington Weber "
    "Williams Yamada Zhang Zielinski"
).split()
GIVEN = {
    "F": (
        "Agnes Alice Amina Beatriz Carol Chiara Dolores Edith Elena Fatima Grace Hannah Ingrid Joan Keiko Leila "
        "Margaret Mei Nadia Olga Patricia Rosa Ruth Sofia Sylvia Teresa Ursula Vera Wanda Yasmin"
    ).split(),
    "M": (
        "Ahmed Albert Bruno Carlos Daniel Dmitri Eduardo Felix Frank George Harold Hiroshi Ivan James Kwame Leon Luis "
        "Marcus Mateo Nikolai Omar Otto Paul Rafael Robert Samuel Stefan Tomas Viktor Walter"
    ).split(),
}
STREETS = "Elm Oak Maple Cedar Birch Willow Chestnut Juniper Harbor Prospect Mill Orchard Summit Lake River".split()
TOWNS = {
    "IL": ("Springfield", "62701", "217"),
    "NY": ("Buffalo", "14202", "716"),
    "CA": ("Fresno", "93701", "559"),
}
NOWHERE = ("Fairview", "00501", "555")
LANGUAGES = ("en", "en", "en", "en", "en", "en", "es", "es", "zh", "vi", "pt", "fr", "ar")


@dataclass(frozen=True, slots=True)
class Person:
    """Who a stay is about, as registration knows it."""

    mrn: str
    family: str
    given: str
    middle: str
    born: date
    sex: str
    street: str
    town: str
    state: str
    postcode: str
    phone: str
    language: str
    deceased: bool = False


def person(random: Random, number: int, state: str, today: date) -> Person:
    """Mostly older adults, as on the wards; the number makes the medical record number unique in its feed."""
    sex = random.choice("FM")
    town, postcode, area = TOWNS.get(state, NOWHERE)
    age = min(99, max(18, round(random.gauss(66, 17))))
    return Person(
        mrn=f"{number:07d}",
        family=random.choice(FAMILIES),
        given=random.choice(GIVEN[sex]),
        middle=random.choice("ABCDEFGHJKLMNPRSTW"),
        born=today - timedelta(days=age * 365 + random.randrange(365)),
        sex=sex,
        street=f"{random.randrange(1, 990)} {random.choice(STREETS)} St",
        town=town,
        state=state,
        postcode=postcode,
        phone=f"({area})555-{random.randrange(100, 10000):04d}",
        language=random.choice(LANGUAGES),
    )


def corrected(random: Random, one: Person) -> Person:
    """What registration gets wrong at first and mends with an A08: the phone, the house or the language."""
    match random.randrange(3):
        case 0:
            return replace(one, phone=f"{one.phone[:-4]}{random.randrange(100, 10000):04d}")
        case 1:
            return replace(one, street=f"{random.randrange(1, 990)} {random.choice(STREETS)} Ave")
        case _:
            return replace(one, language=random.choice(LANGUAGES))

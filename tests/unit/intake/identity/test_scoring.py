"""Scores with the shipped weights: the published vectors, and everything that must never be linked alone."""

import pytest

from services.intake.identity.blocking import keys_of
from services.intake.identity.comparing import Level, compare, compare_dates, compare_residences
from services.intake.identity.jaro import jaro_winkler
from services.intake.identity.scoring import Grade, Guard, Score, score
from services.intake.identity.traits import Residence, Traits
from services.intake.identity.weights import Weights, read_weights
from tests.unit.intake.identity.people import HOME, elsewhere, numbers, person

WEIGHTS = read_weights()


def scored(one: Traits, other: Traits) -> Score:
    found = score(one, other, WEIGHTS)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [  # Winkler's own table (1990, 1994) as reprinted by Cohen, Ravikumar and Fienberg
        ("martha", "marhta", 0.961),
        ("dwayne", "duane", 0.840),
        ("dixon", "dicksonx", 0.813),
        ("jones", "johnson", 0.832),
        ("massey", "massie", 0.933),
        ("abroms", "abrams", 0.922),
        ("same", "same", 1.0),
        ("abc", "xyz", 0.0),
        ("", "abc", 0.0),
        ("", "", 0.0),
    ],
)
def test_jaro_winkler_of_the_published_pairs(one: str, other: str, alike: float) -> None:
    assert jaro_winkler(one, other) == pytest.approx(alike, abs=0.001)
    assert jaro_winkler(other, one) == pytest.approx(alike, abs=0.001)


@pytest.mark.parametrize(
    ("field", "level", "log_odds"),
    [
        ("address", Level.EXACT, 8.44),
        ("birth_date", Level.EXACT, 10.13),
        ("given", Level.EXACT, 6.85),
        ("family", Level.EXACT, 6.35),
        ("address", Level.POSTAL, 4.98),
        ("address", Level.CITY, 2.44),
        ("sex", Level.EXACT, 0.75),
        ("record_number", Level.EXACT, 0.31),
        ("address", Level.STATE, 0.02),
    ],
)
def test_agreement_weighs_what_phdi_publishes(field: str, level: Level, log_odds: float) -> None:
    assert WEIGHTS.weight(field, level) == pytest.approx(log_odds, abs=0.005)


def test_the_passes_of_phdi_reach_their_thresholds() -> None:
    names = WEIGHTS.weight("given", Level.EXACT) + WEIGHTS.weight("family", Level.EXACT)
    place = WEIGHTS.weight("address", Level.EXACT) + WEIGHTS.weight("birth_date", Level.EXACT)
    assert names >= WEIGHTS.thresholds.review == 12.2
    assert place >= WEIGHTS.thresholds.probable == 17.0
    assert max(names - WEIGHTS.weight("given", Level.EXACT), 0) < 12.2


def test_a_difference_weighs_ln_of_one_minus_m_by_one_minus_u_and_what_is_missing_nothing() -> None:
    levels = WEIGHTS.fields["sex"]
    assert levels[Level.DIFFERENT].m == pytest.approx(1 - levels[Level.EXACT].m)
    assert levels[Level.DIFFERENT].u == pytest.approx(1 - levels[Level.EXACT].u)
    assert all(WEIGHTS.weight(field, Level.DIFFERENT) < 0 for field in WEIGHTS.fields)
    assert all(WEIGHTS.weight(field, Level.MISSING) == 0 for field in WEIGHTS.fields)


@pytest.mark.parametrize(
    ("other", "grade"),
    [
        (elsewhere(), Grade.CERTAIN),
        (elsewhere(ssn4="", phones=frozenset()), Grade.CERTAIN),
        (elsewhere(ssn4="", residence=Residence()), Grade.CERTAIN),
        (elsewhere("Elenor"), Grade.CERTAIN),
        (elsewhere("Elenor", ssn4=""), Grade.PROBABLE),
        # Moved away, and has a new number: the name, birth date and sex alone are for a person.
        (elsewhere(ssn4="", phones=frozenset(), residence=Residence()), Grade.PROBABLE),
        (
            elsewhere(ssn4="", phones=frozenset(), residence=Residence("9elmct", "chicago", "il", "60607")),
            Grade.PROBABLE,
        ),
        (elsewhere(ssn4="", phones=frozenset(), residence=Residence(), birth_date="1948"), Grade.PROBABLE),
        (elsewhere(ssn4="", phones=frozenset(), residence=Residence(), birth_date="1950-07-30"), Grade.CERTAINLY_NOT),
        (elsewhere("Robert", "Quill", birth_date="1990-07-30", sex="M"), Grade.POSSIBLE),
        (
            elsewhere("Robert", "Quill", birth_date="1990-07-30", sex="M", ssn4="", phones=frozenset()),
            Grade.CERTAINLY_NOT,
        ),
    ],
)
def test_grades_across_authorities(other: Traits, grade: Grade) -> None:
    assert scored(person(), other).grade is grade
    assert scored(other, person()).total == pytest.approx(scored(person(), other).total)


@pytest.mark.parametrize(
    ("one", "other", "guard"),
    [
        (person("Eleanor"), elsewhere("Miriam"), Guard.TWINS),
        (person("Eleanor"), elsewhere("Elenora", ssn4=""), Guard.TWINS),
        (person(suffix="sr"), elsewhere(suffix="jr"), Guard.GENERATIONS),
        (person(), elsewhere(suffix="jr"), Guard.GENERATIONS),
        (person(), elsewhere(sex="M"), Guard.SEX),
        (person(), elsewhere(numbers=numbers("GENHOSP", "1002")), Guard.SAME_AUTHORITY),
        (person(), elsewhere(birth_date="1948-02-15", phones=frozenset(), ssn4=""), Guard.FEW_STRONG_FIELDS),
        # The first of January says no more than the year.
        (person(birth_date="1948-01-01"), elsewhere(birth_date="1948-01-01", phones=frozenset(), ssn4=""), Guard.FEW_STRONG_FIELDS),
    ],
)  # fmt: skip
def test_guards_leave_the_decision_to_a_person(one: Traits, other: Traits, guard: Guard) -> None:
    found = scored(one, other)
    assert guard in found.guards
    assert found.grade is not Grade.CERTAIN


@pytest.mark.parametrize(
    ("given", "family"),
    [
        ("John", "Doe"), ("Jane", "Doe"), ("Unknown", "Unknown"), ("Baby Boy", "Marsh"), ("BabyGirl A", "Marsh"),
        ("Twin B", "Marsh"), ("Infant", "Marsh"), ("Boy", "Marsh"), ("BB", "Marsh"), ("Test", "Marsh"),
        ("Eleanor", "Test"), ("Eleanor", "ZZTEST"), ("Patient", "Test Patient"), ("Eleanor", "Trauma 17"),
        ("", "Marsh"), ("Eleanor", ""), ("X", "XXX"), ("Baby of Ann", "Marsh"),
    ],
)  # fmt: skip
def test_placeholder_people_are_never_matched(given: str, family: str) -> None:
    nobody = elsewhere(given, family)
    assert score(person(), nobody, WEIGHTS) is None
    assert score(nobody, nobody, WEIGHTS) is None
    assert keys_of(nobody, WEIGHTS.placeholders) == []


@pytest.mark.parametrize("family", ["Testa", "Dorsey", "Babylon", "Nash", "Patientia", "Unkel"])
def test_real_names_that_look_alike_are_matched(family: str) -> None:
    assert scored(person(family=family), elsewhere(family=family)).grade is Grade.CERTAIN


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("1948-02-14", "1948-02-14", Level.EXACT),
        ("1948-02-14", "1948-02-15", Level.NEAR),
        ("1948-02-14", "1984-02-14", Level.DIFFERENT),
        ("1948-03-05", "1948-05-03", Level.NEAR),
        ("1948-02", "1948-02-14", Level.PARTIAL),
        ("1948", "1948-02-14", Level.PARTIAL),
        ("1949", "1948-02-14", Level.DIFFERENT),
        ("", "1948-02-14", Level.MISSING),
    ],
)
def test_birth_dates(one: str, other: str, level: Level) -> None:
    assert compare_dates(one, other) is level
    assert compare_dates(other, one) is level


@pytest.mark.parametrize(
    ("other", "level"),
    [
        (HOME, Level.EXACT),
        (HOME._replace(street="1200wlakestreet"), Level.EXACT),
        (HOME._replace(street="9elmct"), Level.POSTAL),
        (Residence("9elmct", "chicago", "il", "60622"), Level.CITY),
        (Residence("9elmct", "peoria", "il", "61602"), Level.STATE),
        (Residence("9elmct", "boston", "ma", "02108"), Level.DIFFERENT),
        (Residence(), Level.MISSING),
        (Residence(street="1200wlakest"), Level.DIFFERENT),
    ],
)
def test_addresses(other: Residence, level: Level) -> None:
    found = compare_residences(HOME, other, WEIGHTS.similar_street)
    assert found is level


def test_every_field_is_explained_and_the_total_is_their_sum() -> None:
    found = scored(person(), elsewhere("Elenor", phones=frozenset()))
    assert {part.field: part.level for part in found.parts} == compare(
        person(), elsewhere("Elenor", phones=frozenset()), WEIGHTS
    )
    assert found.total == pytest.approx(sum(part.weight for part in found.parts))
    assert 0 < found.probability < 1


def test_whoever_may_be_one_shares_a_key_even_when_the_name_or_the_birth_date_was_mistyped() -> None:
    mine = set(keys_of(person(), WEIGHTS.placeholders))
    for other in (
        elsewhere(phones=frozenset(), ssn4="", residence=Residence()),
        elsewhere("Elanor", "Marsch", phones=frozenset(), ssn4=""),
        elsewhere(birth_date="1948-12-14", phones=frozenset(), ssn4=""),
        elsewhere("Nora", "Bell", birth_date="1948", residence=Residence(), ssn4=""),
    ):
        assert mine & set(keys_of(other, WEIGHTS.placeholders)), other
    stranger = elsewhere("Robert", "Quill", birth_date="1990-07-30", sex="M", ssn4="1111", phones=frozenset())
    assert not mine & set(keys_of(stranger, WEIGHTS.placeholders))


@pytest.mark.parametrize(
    "wrong",
    [
        {"thresholds": {"review": 20, "probable": 17, "certain": 30}},
        {"fields": {}},
        {"prior": 0},
        {"fields": {"sex": {"exact": {"m": 0.9, "u": 0.5}}}},
        {"version": "newest"},
    ],
)
def test_a_wrong_configuration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Weights"):
        Weights.model_validate(WEIGHTS.model_dump() | wrong)

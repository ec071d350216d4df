"""What an event says in a few words."""

import pytest

from services.dashboard.rows import disposition_words
from services.dashboard.summaries import UNMAPPED, went_to
from shared.events.people import Disposition


@pytest.mark.parametrize(
    ("disposition", "words", "on_the_page"),
    [
        (Disposition(nubc="01", fhir="home", source="HOME"), "to home", "home (01)"),
        (Disposition(nubc="20", fhir="exp", source="DIED"), "died", "exp (20)"),
        (Disposition(nubc="21", fhir="oth", source="JAIL"), "to elsewhere", "oth (21)"),
        (Disposition(fhir="snf", source="snf"), "to a skilled nursing facility", "snf"),
        (Disposition(fhir="oth", source="XFR"), f"to {UNMAPPED}", UNMAPPED),
        (Disposition(nubc="01", fhir="of-tomorrow"), "to of-tomorrow", "of-tomorrow (01)"),
    ],
)
def test_where_a_discharge_led_is_said_in_words_and_an_unmapped_code_as_what_it_is(
    disposition: Disposition, words: str, on_the_page: str
) -> None:
    assert went_to(disposition) == words
    assert disposition_words(disposition) == on_the_page

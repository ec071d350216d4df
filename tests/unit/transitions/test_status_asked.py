"""A question where a referral stands is answered from what is known, and changes nothing."""

from uuid import uuid4

from services.transitions.announcement import Cause
from services.transitions.referrals.book import Book
from services.transitions.referrals.matching import deed_of
from shared.events.referrals import ReferralStatusAsked, ReferralStatusTold
from tests.unit.transitions.referrals_told import RULES, requested, told
from tests.unit.transitions.stays import at

ASKED = "2026-03-06 16:00"


def test_it_says_the_state_what_is_waited_for_and_until_when() -> None:
    referral = requested(priority="urgent")
    book = Book(RULES, [referral])
    book.tell_status(referral.id, Cause(id="question", at=at(ASKED)))
    [draft] = book.drafts
    fact = draft.fact
    assert isinstance(fact, ReferralStatusTold)
    assert (fact.referral_id, fact.status, fact.waiting_for) == (referral.id, "requested", "decision")
    assert fact.due_at == at("2026-03-06 19:00")
    assert (fact.version, draft.causation_id) == (referral.version, "question")
    assert book.find(referral.id) == referral


def test_one_that_nobody_told_of_has_no_answer() -> None:
    book = Book(RULES, [])
    book.tell_status(uuid4(), Cause(id="question", at=at(ASKED)))
    assert book.drafts == []


def test_a_question_is_no_deed() -> None:
    event = told(ReferralStatusAsked, ASKED)
    assert deed_of(event.fact, RULES, event.id, event.time, historical=False) is None

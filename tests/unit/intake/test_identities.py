"""Who an identifier stands for: known ones keep their record, unknown ones join the best known of their message."""

import pytest

from services.intake.identities import Identities, Proposal, settle
from shared.events.people import Identifier

A, B, C = (Identifier(authority="HOSP", type=kind, value="1") for kind in ("MR", "PI", "PT"))


@pytest.mark.parametrize(
    ("proposals", "found", "settled"),
    [
        pytest.param([Proposal((A, B), "new")], {}, {A: "new", B: "new"}, id="nobody known starts a record"),
        pytest.param([Proposal((A, B), "new")], {A: "old"}, {A: "old", B: "old"}, id="the other joins the first"),
        pytest.param([Proposal((A, B), "new")], {B: "old"}, {A: "old", B: "old"}, id="the first joins the other"),
        pytest.param(
            [Proposal((A, B, C), "new")], {B: "two", C: "three"}, {A: "two", B: "two", C: "three"}, id="best known wins"
        ),
        pytest.param(
            [Proposal((A, B), "one"), Proposal((C, B), "two")],
            {},
            {A: "one", B: "one", C: "one"},
            id="a later message of the group joins what an earlier one started",
        ),
    ],
)
def test_settling(proposals: list[Proposal], found: dict[Identifier, str], settled: dict[Identifier, str]) -> None:
    assert settle(proposals, found) == settled


def test_what_is_kept_needs_no_proposal_and_the_same_person_gets_one() -> None:
    identities = Identities()
    identities.keep({A: "old"})
    records, proposals = identities.sort_out([(A, B), (C,), (C,)])
    assert records == {A: "old"}
    assert [proposal.identifiers for proposal in proposals] == [(C,)]


def test_records_that_begin_together_stand_together_and_are_all_different() -> None:
    identities = Identities()
    people = [(Identifier(authority="HOSP", type="MR", value=str(number)),) for number in range(5_000)]
    _, proposals = identities.sort_out(people)
    records = [proposal.record for proposal in proposals]
    assert {len(record) for record in records} == {32}
    assert len(set(records)) == len(records)
    assert len({record[:6] for record in records}) == 2

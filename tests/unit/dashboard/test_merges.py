"""A merge is told by every service, on both keys: the read tables take it in once."""

import pytest

from services.dashboard.projecting import unknown_merges


@pytest.mark.parametrize(
    ("merges", "survivors", "unknown"),
    [
        ({"r": "s"}, {"r": "r", "s": "s"}, {"r": "s"}),
        ({"r": "s"}, {"r": "s", "s": "s"}, {}),
        # The survivor was merged into a third one since.
        ({"r": "s"}, {"r": "t", "s": "t"}, {}),
        ({"r": "s"}, {"r": "r", "s": "t"}, {"r": "s"}),
        ({"r": "s", "s": "t"}, {"r": "s", "s": "s", "t": "t"}, {"s": "t"}),
    ],
)
def test_only_a_merge_that_is_not_recorded_changes_rows(
    merges: dict[str, str], survivors: dict[str, str], unknown: dict[str, str]
) -> None:
    assert unknown_merges(merges, survivors) == unknown

from hypothesis import given
from hypothesis import strategies as st

from services.intake.message import OrderKey
from services.intake.patient import (
    Merge,
    Record,
    differences,
    inherited,
    judge_merge,
    learn,
    record_as_json,
    record_from_json,
    summarise,
    values_of,
)


def key(minute: int) -> OrderKey:
    return OrderKey(f"2026-03-02T09:{minute:02d}", "", 1, str(minute), "")


def taught(sayings: list[tuple[int, dict[str, str | None]]]) -> Record:
    record: Record = ()
    for minute, said in sayings:
        record = learn(record, key(minute), said)
    return record


SAYINGS = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.dictionaries(st.sampled_from(["sex", "language", "address"]), st.sampled_from(["a", "b", None]), max_size=3),
    ),
    max_size=6,
    unique_by=lambda saying: saying[0],
)


@given(SAYINGS, st.data())
def test_the_latest_word_wins_whatever_the_order_of_arrival(
    sayings: list[tuple[int, dict[str, str | None]]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(sayings * 2))
    expected: dict[str, str | None] = {}
    for _, said in sorted(sayings):
        expected |= said
    assert values_of(taught(shuffled)) == {name: value for name, value in expected.items() if value is not None}
    assert record_from_json(record_as_json(taught(shuffled))) == taught(sayings)


@given(SAYINGS, SAYINGS, st.integers(0, 9))
def test_what_was_said_before_a_merge_counts_like_what_is_said_after(
    own: list[tuple[int, dict[str, str | None]]], theirs: list[tuple[int, dict[str, str | None]]], cut: int
) -> None:
    theirs = [(minute + 100, said) for minute, said in theirs]
    merged = inherited(taught(own), taught(theirs[:cut]))
    for minute, said in theirs[cut:]:
        merged = learn(merged, key(minute), said)
    assert values_of(merged) == values_of(taught([*own, *theirs]))


def test_a_retired_records_numbers_stay_behind() -> None:
    retired = taught([(1, {"identifiers of GENHOSP": "OLD", "language": "en"})])
    assert values_of(inherited(taught([(2, {"identifiers of GENHOSP": "NEW"})]), retired)) == {
        "identifiers of GENHOSP": "NEW",
        "language": "en",
    }


def test_a_record_keeps_only_what_nobody_has_overridden() -> None:
    record = taught([(1, {"sex": "F", "address": "x"}), (2, {"sex": "F"}), (3, {"sex": "F"})])
    assert [saying.said for saying in record] == [{"sex": "F"}, {"address": "x"}]


def test_identifiers_are_a_snapshot_per_authority() -> None:
    record = taught([])
    record = learn(record, key(1), {"identifiers of A": [["MR", "1"]], "identifiers of B": [["PI", "9"]]})
    record = learn(record, key(2), {"identifiers of A": [["MR", "2"]]})
    summary = summarise("p", values_of(record))
    assert [(i.authority, i.type, i.value) for i in summary.identifiers] == [("A", "MR", "2"), ("B", "PI", "9")]


def test_differences_name_fields_of_the_contract() -> None:
    assert differences({"sex": "F", "identifiers of A": 1}, {"identifiers of A": 2, "language": "en"}) == (
        "identifiers",
        "language",
        "sex",
    )


def test_merges_are_judged_by_who_stands_for_whom() -> None:
    alone = {"a": "a", "b": "b"}
    merged = {"a": "b", "b": "b"}
    assert judge_merge("a", "b", alone) is Merge.NEW
    assert judge_merge("a", "b", merged) is Merge.ALREADY_DONE
    assert judge_merge("b", "a", merged) is Merge.CYCLE
    assert judge_merge("a", "a", alone) is Merge.ALREADY_DONE

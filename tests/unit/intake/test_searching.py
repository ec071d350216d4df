import pytest

from services.intake.searching import CONDITIONS, conditions, newest


def test_nothing_asked_is_everything() -> None:
    assert conditions({}) == ("TRUE", [])
    assert newest({}, None, 50).arguments == (50,)


def test_values_are_parameters_and_never_part_of_the_statement() -> None:
    question = newest({"control_id": "'; DROP TABLE message", "feed": "north"}, None, 10)
    assert "DROP" not in question.sql
    assert question.arguments == ("north", "'; DROP TABLE message", 10)


@pytest.mark.parametrize("name", sorted(CONDITIONS))
def test_a_filter_is_asked_for_only_where_it_is_given(name: str) -> None:
    where, arguments = conditions({name: "x"}, first=3)
    assert where == CONDITIONS[name].format("$3")
    assert arguments == ["x"]


@pytest.mark.parametrize(
    ("filters", "by_trigger"),
    [
        ({"trigger": "A01"}, True),
        ({"trigger": "A01", "outcome": "held"}, True),
        ({"trigger": "A01", "feed": "north"}, True),
        ({"trigger": "A01", "feed": "A01", "control_id": None}, True),
        ({"trigger": "A01", "control_id": "1"}, False),
        ({"trigger": "A01", "reason": "no-visit"}, False),
        ({"feed": "north"}, False),
    ],
)
def test_a_trigger_is_looked_up_by_the_trigger_unless_something_else_is_rarer(
    filters: dict[str, str | None], *, by_trigger: bool
) -> None:
    question = newest(filters, None, 50)
    assert ("ORDER BY m.trigger DESC, m.id DESC" in question.sql) is by_trigger
    assert question.sql.count("ANY (ARRAY[$") == by_trigger
    assert question.arguments[-1] == 50

import pytest

from deploy.summary import summary


@pytest.mark.parametrize(
    ("logs", "line"),
    [
        (["x\n=== 5 passed in 1.20s ===\n"], "5 passed in 9.00s"),
        (
            ["=== 1 failed, 5 passed, 1 warning in 1.20s (0:01:00) ===\n", "7 passed in 3s\n"],
            "1 failed, 12 passed, 1 warnings in 9.00s",
        ),
        (["crashed\n", "=== 2 passed in 0.10s ===\n"], "2 passed, 1 errors in 9.00s"),
    ],
)
def test_one_line_over_several_runs(logs: list[str], line: str) -> None:
    assert summary(logs, 9).strip("= ") == line

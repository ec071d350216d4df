from pathlib import Path
from typing import Any

import pytest
import yaml

from services.transitions.signals.thresholds import SHIPPED, WrongThresholdsError, read_thresholds
from shared.events.operations import SignalKind


def test_every_number_that_is_shipped_has_a_source_and_every_kind_a_calm_time() -> None:
    limits = read_thresholds()
    assert limits.edition == "live-signals@2026.2"
    assert all(limits.calm(kind).total_seconds() >= 0 for kind in SignalKind)


BEDS = {
    "title": "Arrivals", "gauge": "arrivals-24h", "scope": "facility:N", "above": 200, "clear": 180, "source": "ours",
}  # fmt: skip
WRONG = [
    (("silence", "quiet_minutes"), 0, "silence.quiet_minutes"),
    (("surge", "clear_factor"), 2, "clear_factor must be below"),
    (("overdue", "clear_ratio"), 0.2, "clear_ratio must be below"),
    (("returns", "clear_least"), 3, "clear_least must be below"),
    (("census", "clear_occupancy"), 0.9, "clear_occupancy must be below"),
    (("census", "beds"), {"GENHOSP": 0}, "census.beds.GENHOSP"),
    (("pipeline", "sources"), {"minutes": "ours"}, "sources must name each of calm_minutes, minutes"),
    (("pipeline", "sources"), {"minutes": " ", "calm_minutes": "ours"}, "sources must name each"),
    (("referral", "hours"), {"routine": 1}, "referral.hours.urgent"),
    (("silence", "typo"), 1, "silence.typo"),
    (("own", "limits"), [BEDS | {"below": 3}], "exactly one of above and below"),
    (("own", "limits"), [BEDS | {"clear": 200}], "clear must lie on the good side"),
    (("own", "limits"), [BEDS, BEDS], "has one limit"),
    (("own", "limits"), [BEDS | {"scope": "GENHOSP"}], "own.limits.0.scope"),
]


@pytest.mark.parametrize(("where", "value", "said"), WRONG)
def test_a_wrong_file_is_refused_and_says_where(tmp_path: Path, where: tuple[str, str], value: Any, said: str) -> None:
    told = yaml.safe_load(SHIPPED.read_text())
    told[where[0]][where[1]] = value
    file = tmp_path / "thresholds.yaml"
    file.write_text(yaml.safe_dump(told))
    with pytest.raises(WrongThresholdsError, match=said.replace(".", r"\.")) as wrong:
        read_thresholds(file)
    assert str(file) in str(wrong.value)


def test_a_file_that_is_missing_or_no_yaml_is_refused(tmp_path: Path) -> None:
    for text in (None, "a: [", ""):
        file = tmp_path / "thresholds.yaml"
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        with pytest.raises(WrongThresholdsError):
            read_thresholds(file)


@pytest.mark.parametrize(("priority", "hours"), [("stat", 8), ("urgent", 48), ("routine", 240), ("unheard-of", 240)])
def test_a_referral_waits_by_its_priority(priority: str, hours: float) -> None:
    assert read_thresholds().referral.hours.of(priority) == hours

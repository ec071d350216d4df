"""The bounded runs of `make chaos`: what was acknowledged is there once, in order, whatever was killed."""

import os
import secrets
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from deploy.chaos.plan import CI, CI_APACHE, DURABLE_TARGETS, FULL, TARGETS, Size, plan

ROOT = Path(__file__).parents[2]
BOUND_S = 840


@pytest.mark.chaos
@pytest.mark.timeout(BOUND_S + 60)
def test_nothing_acknowledged_is_lost_or_doubled_whatever_is_killed(tmp_path: Path) -> None:
    chaos(tmp_path, KAFKA="embedded")


@pytest.mark.apache
@pytest.mark.timeout(BOUND_S + 60)
def test_the_same_holds_when_the_broker_is_among_the_killed(tmp_path: Path) -> None:
    chaos(tmp_path, KAFKA="apache")


def chaos(folder: Path, **environment: str) -> None:
    seed = os.environ.get("SEED") or str(secrets.randbelow(1_000_000))
    command = [sys.executable, "-m", "deploy.chaos", "--seed", seed]
    log = folder / "said.log"
    with log.open("w") as said:  # a run that hangs ends itself and says where: see deploy.chaos
        done = subprocess.run(
            [*command, "--folder", str(folder / "stack"), "--report", str(folder / "report.md")],
            env={**os.environ, "CHAOS": "ci", **environment},
            cwd=ROOT,
            stdout=said,
            stderr=said,
            check=False,
            timeout=BOUND_S,
        )
    sys.stdout.write(log.read_text())
    assert done.returncode == 0, f"SEED={seed}\n{log.read_text()[-6000:]}"
    assert "# Chaos run: passed" in (folder / "report.md").read_text()


@pytest.mark.parametrize(
    ("size", "targets", "least"), [(FULL, TARGETS, 12), (CI, TARGETS, 5), (CI_APACHE, DURABLE_TARGETS, 1)]
)
def test_a_plan_kills_everyone_often_enough_and_is_repeated_by_its_seed(
    size: Size, targets: tuple[str, ...], least: int
) -> None:
    victims = plan(42, size.kills, targets)
    assert victims == plan(42, size.kills, targets)
    assert victims != plan(43, size.kills, targets)
    assert len(victims) == size.kills
    assert min(Counter(victims)[name] for name in targets) >= least
    assert size.rate >= 50

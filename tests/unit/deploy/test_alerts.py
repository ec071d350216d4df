"""Alerts and dashboards name metrics that exist and runbooks that can be opened."""

import json
import re
import subprocess
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

from deploy.local.settings import ROOT
from shared import metrics

RULES = ROOT / "deploy" / "prometheus" / "rules.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "handoff.json"


def known_metrics() -> set[str]:
    assert metrics.__doc__  # imported for what it registers
    plain = {family.name for family in REGISTRY.collect()}
    endings = ("", "_total", "_bucket", "_count", "_sum")
    return {f"{name}{ending}" for name in plain for ending in endings}


def named(expression: str) -> set[str]:
    return set(re.findall(r"handoff_[a-z_]+", expression))


def alerts() -> list[dict[str, Any]]:
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    assert isinstance(rules, list)
    return rules


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_has_its_metrics_and_its_runbook(alert: dict[str, Any]) -> None:
    assert named(alert["expr"]) <= known_metrics()
    runbook = (ROOT / alert["annotations"]["runbook_url"]).read_text()
    assert alert["alert"] in runbook
    assert {"## What it means", "## Look", "## Act"} <= set(runbook.splitlines())


def test_kubernetes_has_the_same_alerts() -> None:
    there = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "alerts.yaml").read_text())
    assert there["spec"] == yaml.safe_load(RULES.read_text())


def test_the_dashboard_shows_metrics_that_exist() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert set().union(*(named(expression) for expression in expressions)) <= known_metrics()


@pytest.mark.promtool
def test_promtool_holds_the_alerts_to_their_cases() -> None:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, capture_output=True)
    cases = RULES.parent / "tests" / "rules_test.yaml"
    done = subprocess.run(["promtool", "test", "rules", str(cases)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

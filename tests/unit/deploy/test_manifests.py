"""docker-compose.yml and deploy/kubernetes set what the services know, and nothing else."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from deploy.local.settings import ROOT
from deploy.topics import planned

NAMES = ("intake", "transitions", "careplan", "notifications", "dashboard", "signals")
KEY = "aGFuZG9mZiBoYW5kb2ZmIGhhbmRvZmYgaGFuZG9mZiE="


def settings_class(name: str) -> type[BaseSettings]:
    package = "services.transitions.signals" if name == "signals" else f"services.{name}"
    module = importlib.import_module(f"{package}.settings")
    return next(
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, BaseSettings) and found.model_config.get("env_prefix")
    )


def compose_environment(name: str) -> dict[str, str]:
    service = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"][name]
    return {key: plain(str(value)) for key, value in service["environment"].items()}


def plain(value: str) -> str:
    """What compose makes of `${NAME:-default}` when nothing is set."""
    return value.split(":-", 1)[1].removesuffix("}") if value.startswith("${") else value


def kubernetes(kind: str) -> list[dict[str, Any]]:
    files = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
    return [one for file in files for one in yaml.safe_load_all(file.read_text()) if one["kind"] == kind]


def kubernetes_environment(name: str, folder: Path) -> dict[str, str]:
    """Values from secrets stand for themselves; files become files of this test."""
    for mounted in ("tls.crt", "tls.key"):
        (folder / mounted).touch()
    deployment = next(one for one in kubernetes("Deployment") if one["metadata"]["name"] == name)
    listed = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    given = {one["name"]: one.get("value", KEY) for one in listed}
    given[f"{name.upper()}_HTTP__ISSUER"] = "https://login.example.org"
    return {key: value.replace("/etc/handoff/mllp", str(folder)) for key, value in given.items()}


def settled(name: str, given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> BaseSettings:
    """The service's settings from this environment; every variable of its prefix must be one that it knows."""
    prefix = f"{name.upper()}_"
    for key, value in given.items():
        monkeypatch.setenv(key, value)
    found = settings_class(name)()
    for key in (key for key in given if key.startswith(prefix)):
        field = key.removeprefix(prefix).split("__")[0].lower()
        assert field in type(found).model_fields, key
    return found


@pytest.mark.parametrize("name", NAMES)
def test_compose_sets_what_the_service_knows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = settled(name, compose_environment(name), monkeypatch)
    assert found.model_dump()["kafka"]["bootstrap"] == "kafka:9092"


@pytest.mark.parametrize("name", NAMES)
def test_kubernetes_sets_what_the_service_knows(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = settled(name, kubernetes_environment(name, tmp_path), monkeypatch).model_dump()
    assert found["kafka"]["security_protocol"] == "SASL_SSL"
    assert found["postgres"]["tls"] is True


def test_strimzi_makes_the_topics_of_the_contract() -> None:
    made = {one["metadata"]["name"]: one["spec"]["partitions"] for one in kubernetes("KafkaTopic")}
    assert made == {plan.name: plan.partitions for plan in planned()}


def test_every_kubernetes_file_is_applied() -> None:
    folder = ROOT / "deploy" / "kubernetes"
    applied = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert set(applied) == {file.name for file in folder.glob("*.yaml")} - {"kustomization.yaml"}

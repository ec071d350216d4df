"""Which stack the command speaks to: the one that runs in the run folder, or the addresses in the environment."""

import asyncio
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.cli.output import NOTHING_RUNS, WRONG_SETTINGS, fail
from deploy.local import instance
from deploy.local.settings import SERVICES, StackSettings
from deploy.operations import Operations
from shared.events import PARTITIONS
from shared.http import read_settings
from shared.kafka import KafkaSettings

T = TypeVar("T")


class ClusterSettings(BaseSettings):
    """How the command reaches a Kafka that others run: the same variables that `python -m deploy.setup` reads."""

    model_config = SettingsConfigDict(
        env_prefix="HANDOFF_", env_nested_delimiter="__", frozen=True, extra="ignore",
        nested_model_default_partial_update=True,
    )  # fmt: skip

    kafka: KafkaSettings = Field(default=KafkaSettings(), description="The cluster that gets the topics.")
    replication: int = Field(default=1, ge=1, le=5, description="Copies of each partition of a topic that is created.")

    def reaching(self, bootstrap: str | None) -> KafkaSettings:
        """The cluster at these brokers, unless HANDOFF_KAFKA__BOOTSTRAP names others."""
        if bootstrap is None or "bootstrap" in self.kafka.model_fields_set:
            return self.kafka
        return KafkaSettings(**{**dict(self.kafka), "bootstrap": bootstrap})


@dataclass(frozen=True, slots=True)
class RunningStack:
    """Where a stack answers. `pid` is the supervisor's, where one runs on this machine."""

    urls: dict[str, str]
    kafka: KafkaSettings
    mllp: tuple[str, int]
    run_folder: Path
    replication: int = 1
    partitions: int = PARTITIONS
    pid: int | None = None
    children: dict[str, int] | None = None

    def operations(self) -> Operations:
        """A client with HANDOFF_TOKEN, or with a token of the local issuer."""
        return Operations(self.urls, issuer=self.urls.get("issuer"), token=os.environ.get("HANDOFF_TOKEN"))


def find() -> RunningStack:
    """The running stack. HANDOFF_URL_<SERVICE>, HANDOFF_KAFKA__…, HANDOFF_BOOTSTRAP and HANDOFF_MLLP point at one
    elsewhere.
    """
    settings, cluster = read_settings(StackSettings), read_settings(ClusterSettings)
    elsewhere = {name: url for name in SERVICES if (url := os.environ.get(f"HANDOFF_URL_{name.upper()}"))}
    told = instance.read(settings.run_folder / "stack.json")
    if not told and not elsewhere:
        fail(f"no stack runs in {settings.run_folder}; start one with `handoff up` or `make run`", NOTHING_RUNS)
    mllp = told.get("mllp", {})
    host, _, port = os.environ.get("HANDOFF_MLLP", "").rpartition(":")
    return RunningStack(
        urls=told.get("urls", {}) | elsewhere,
        kafka=_kafka(cluster, os.environ.get("HANDOFF_BOOTSTRAP") or told.get("bootstrap")),
        mllp=(host or mllp.get("host", settings.host), int(port or mllp.get("port", settings.mllp_port))),
        run_folder=settings.run_folder,
        replication=cluster.replication,
        partitions=int(told.get("partitions", PARTITIONS)),
        pid=told.get("pid"),
        children={name: pid for name, (pid, _born) in told.get("children", {}).items()},
    )


def _kafka(cluster: ClusterSettings, bootstrap: str | None) -> KafkaSettings:
    try:
        return cluster.reaching(bootstrap)
    except ValidationError as wrong:
        fail(f"HANDOFF_BOOTSTRAP: {wrong.errors()[0]['msg'].removeprefix('Value error, ')}", WRONG_SETTINGS)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)

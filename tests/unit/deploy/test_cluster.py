"""How the command reaches a Kafka that others run, and what it asks of it."""

import pytest

from deploy.cli.stack import ClusterSettings
from deploy.topics import planned
from shared.http import read_settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HANDOFF_KAFKA__BOOTSTRAP", "HANDOFF_KAFKA__SECURITY_PROTOCOL", "HANDOFF_REPLICATION"):
        monkeypatch.delenv(name, raising=False)


def test_the_running_stack_is_meant_unless_another_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings(ClusterSettings).reaching("127.0.0.1:29092").bootstrap == "127.0.0.1:29092"
    assert read_settings(ClusterSettings).reaching(None).bootstrap == "127.0.0.1:19092"
    for name, value in {
        "BOOTSTRAP": "kafka.example:9094",
        "SECURITY_PROTOCOL": "SASL_SSL",
        "SASL_USERNAME": "setup",
        "SASL_PASSWORD": "secret",
    }.items():
        monkeypatch.setenv(f"HANDOFF_KAFKA__{name}", value)
    named = read_settings(ClusterSettings).reaching("127.0.0.1:29092")
    assert (named.bootstrap, named.security_protocol, named.sasl_username) == (
        "kafka.example:9094",
        "SASL_SSL",
        "setup",
    )


def test_every_topic_gets_as_many_copies_as_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings(ClusterSettings).replication == 1
    monkeypatch.setenv("HANDOFF_REPLICATION", "3")
    copies = read_settings(ClusterSettings).replication
    topics = [plan.request() for plan in planned(["oak"], copies)]
    assert {topic.replication_factor for topic in topics} == {3}
    assert "care.provider.oak.v1" in {topic.name for topic in topics}


@pytest.mark.parametrize("value", ["0", "many"])
def test_a_number_of_copies_that_can_not_be_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    monkeypatch.setenv("HANDOFF_REPLICATION", value)
    with pytest.raises(SystemExit) as ended:
        read_settings(ClusterSettings)
    assert ended.value.code == 2
    assert "HANDOFF_REPLICATION: saw" in capsys.readouterr().err

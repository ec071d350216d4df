"""Every client of every process, faust's too, is given the protocol, the principal and the certificates as set."""

import ssl
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from services.transitions.signals.listening import credentials
from shared.kafka import KafkaSettings

SASL: dict[str, Any] = {"sasl_username": "careplan", "sasl_password": "secret"}
SAID: dict[str, dict[str, Any]] = {
    "PLAINTEXT": {"bootstrap": "127.0.0.1:9092"},
    "SSL": {"bootstrap": "kafka.example:9093"},
    "SASL_PLAINTEXT": {"bootstrap": "10.0.0.5:9092", "plaintext_outside_loopback": True, **SASL},
    "SASL_SSL": {"bootstrap": "kafka.example:9094", **SASL},
}
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
CASES = [(name, mechanism) for name in SAID for mechanism in (MECHANISMS if "SASL" in name else MECHANISMS[-1:])]


def settings(protocol: str, mechanism: str) -> KafkaSettings:
    said: dict[str, Any] = {"security_protocol": protocol, "sasl_mechanism": mechanism, **SAID[protocol]}
    return KafkaSettings(**said)


@pytest.mark.parametrize(("protocol", "mechanism"), CASES)
def test_what_is_set_is_what_each_client_is_given(protocol: str, mechanism: str) -> None:
    given = settings(protocol, mechanism).client_arguments()
    assert given["security_protocol"] == protocol
    context = given.get("ssl_context")
    assert (context is not None) is protocol.endswith("SSL")
    if context is not None:
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    principal = (given.get("sasl_mechanism"), given.get("sasl_plain_username"), given.get("sasl_plain_password"))
    assert principal == ((mechanism, "careplan", "secret") if "SASL" in protocol else (None, None, None))


@pytest.mark.parametrize(("protocol", "mechanism"), CASES)
async def test_every_kind_of_client_takes_them(protocol: str, mechanism: str) -> None:
    given = settings(protocol, mechanism).client_arguments()
    for kind in (AIOKafkaConsumer, AIOKafkaProducer, AIOKafkaAdminClient, AIOKafkaClient):
        client = kind(**given)
        await (client.stop() if hasattr(client, "stop") else client.close())


@pytest.mark.parametrize(("protocol", "mechanism"), CASES)
def test_faust_speaks_as_the_others_do(protocol: str, mechanism: str) -> None:
    kafka = settings(protocol, mechanism)
    given = kafka.client_arguments()
    chosen = credentials(kafka)
    said = credentials_to_aiokafka_auth(chosen, given.get("ssl_context"))
    names = ("security_protocol", "sasl_mechanism", "sasl_plain_username", "sasl_plain_password")
    assert {name: said.get(name) for name in names} == {name: given.get(name) for name in names}
    assert (said.get("ssl_context") is not None) is protocol.endswith("SSL")


@pytest.mark.parametrize(
    ("said", "wants"),
    [
        ({"security_protocol": "SASL_SSL"}, "sasl_username and sasl_password"),
        ({"security_protocol": "SASL_SSL", "sasl_username": "careplan"}, "sasl_username and sasl_password"),
        ({"bootstrap": "kafka.example:9092"}, "plaintext_outside_loopback"),
        ({"bootstrap": "127.0.0.1:9092,kafka.example:9092"}, "plaintext_outside_loopback"),
        ({"bootstrap": "kafka.example:9092", "security_protocol": "SASL_PLAINTEXT", **SASL}, "SASL_SSL"),
    ],
)
def test_half_a_setting_is_refused(said: dict[str, Any], wants: str) -> None:
    with pytest.raises(ValueError, match=wants):
        KafkaSettings(**said)

"""Our headers read by the CloudEvents project's own library: binary mode of its Kafka binding."""

import json
from datetime import timedelta, timezone
from typing import Any
from uuid import UUID

import jsonschema
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat

from deploy.reference.examples import INSTANT, PATIENT, full
from deploy.reference.schemas import headers_schema
from shared.events import BY_TYPE, Barrier, Draft, headers_of, read_event
from shared.events.envelope import FLAGS

LOCAL = timezone(timedelta(hours=-6))


def draft(name: str, **said: Any) -> Draft:
    return Draft(
        fact=full(BY_TYPE[name]), subject=PATIENT, time=INSTANT.astimezone(LOCAL), correlation_id="stay",
        causation_id="message", version=3, traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", **said,
    )  # fmt: skip


def message(of: Draft) -> KafkaMessage:
    barrier = Barrier(subject="another", sequence=7)
    headers = headers_of(of, source="intake", sequence=42, epoch=2, recorded=INSTANT, after=barrier)
    value = of.fact.model_dump_json(exclude_none=True).encode()
    return KafkaMessage(headers=dict(headers), key=of.subject, value=value)


@pytest.mark.parametrize("name", BY_TYPE)
def test_the_library_reads_what_we_write(name: str) -> None:
    said = draft(name)
    read = from_binary(message(said), JSONFormat())

    assert read.get_specversion() == "1.0"
    assert (read.get_id(), read.get_type(), read.get_source()) == (str(said.id), name, "/handoff/intake")
    assert (read.get_subject(), read.get_time()) == (PATIENT, INSTANT)
    assert read.get_datacontenttype() == "application/json"
    assert read.get_data() == json.loads(said.fact.model_dump_json(exclude_none=True))
    assert read.get_extension("patientsequence") == "000000000042"
    assert (read.get_extension("epoch"), read.get_extension("correlationid")) == ("2", "stay")
    assert (read.get_extension("aftersubject"), read.get_extension("aftersequence")) == ("another", "7")


@pytest.mark.parametrize("name", BY_TYPE)
def test_we_read_what_the_library_writes(name: str) -> None:
    """Whoever forwards our events through that library loses nothing."""
    said = draft(name, late=True)
    forwarded = to_binary(from_binary(message(said), JSONFormat()), JSONFormat())
    read = read_event("care.encounters.v1", forwarded.headers.items(), forwarded.value)

    assert read is not None
    assert (read.id, read.subject, read.sequence, read.epoch, read.version) == (said.id, PATIENT, 42, 2, 3)
    assert (read.fact, read.late, read.after) == (said.fact, True, Barrier(subject="another", sequence=7))


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_a_header(flag: str) -> None:
    read = from_binary(message(draft("care.encounter.discharged.v1", **{flag: True})), JSONFormat())
    assert read.get_extension(flag) == "true"


@pytest.mark.parametrize("flags", [{}, dict.fromkeys(FLAGS, True)])
def test_headers_fit_their_published_schema(flags: dict[str, bool]) -> None:
    headers = {
        name: value.decode() for name, value in message(draft("care.plan.activated.v1", **flags)).headers.items()
    }
    schema = headers_schema() | {"additionalProperties": False}
    jsonschema.validate(headers, schema, format_checker=jsonschema.FormatChecker())
    assert UUID(headers["ce_id"]).version == 7

"""The simulated hospital tells whole stays, and tells them again from the same seed."""

from collections import defaultdict

import pytest

from deploy.simulator.hospital import delivered
from deploy.simulator.schedule import Planned, Schedule
from deploy.simulator.settings import SimulatorSettings
from shared.mllp import NoAckError, read_ack

SETTINGS = SimulatorSettings(seed=7, patients=400, rate=20, start="2026-03-02T15:00:00+00:00")


@pytest.fixture(scope="module")
def messages() -> list[Planned]:
    return list(Schedule(SETTINGS))


def test_the_same_seed_and_start_give_the_same_bytes(messages: list[Planned]) -> None:
    assert list(Schedule(SETTINGS)) == messages
    assert list(Schedule(SETTINGS.model_copy(update={"seed": 8}))) != messages


def test_every_kind_of_message_occurs_on_every_feed(messages: list[Planned]) -> None:
    seen = defaultdict(set)
    for one in messages:
        seen[one.feed].add(one.trigger)
    assert set(seen) == {"general-hospital", "lakeside", "st-brigid"}
    assert set().union(*seen.values()) == {"A01", "A02", "A03", "A04", "A06", "A08", "A11", "A13", "A40"}


def test_a_stay_begins_with_an_opener_and_ends_discharged_or_cancelled(messages: list[Planned]) -> None:
    stays = defaultdict(list)
    for one in messages:
        stays[one.visit].append(one)
    assert len(stays) == SETTINGS.patients
    for acts in stays.values():
        assert acts[0].trigger in {"A01", "A04"}
        assert acts[-1].trigger in {"A03", "A11"}
        assert [one.due for one in acts] == sorted(one.due for one in acts)


def test_control_ids_are_unique_and_stand_in_the_message(messages: list[Planned]) -> None:
    assert len({one.control_id for one in messages}) == len(messages)
    assert all(one.payload.split(b"|")[9].decode() == one.control_id for one in messages)


def test_times_carry_the_offset_of_the_facility(messages: list[Planned]) -> None:
    lakeside = next(one for one in messages if one.feed == "lakeside")
    assert lakeside.payload.split(b"|")[6].endswith(b"-0500")


def test_the_rate_is_what_was_asked_for() -> None:
    many = list(Schedule(SETTINGS.model_copy(update={"patients": 3000, "stay_seconds": 1.0})))
    assert len(many) / many[-1].due == pytest.approx(SETTINGS.rate, rel=0.1)


def test_the_network_repeats_and_delays_but_loses_nothing(messages: list[Planned]) -> None:
    arrived = list(delivered(messages, SETTINGS.model_copy(update={"duplicates": 0.3, "late": 0.1})))
    assert {one.control_id for one in arrived} == {one.control_id for one in messages}
    assert len(arrived) > 1.2 * len(messages)
    assert [one.due for one in arrived] != sorted(one.due for one in arrived)


@pytest.mark.parametrize(
    ("payload", "code", "text"),
    [
        (b"MSH|^~\\&|A\rMSA|AA|C1\r", "AA", ""),
        (b"MSH|^~\\&|A\rMSA|AE|C1|PID is missing\r", "AE", "PID is missing"),
        (b"MSH|^~\\&|A\rMSA|AR|C1\rERR||MSH^1^12|203|E\r", "AR", "MSH^1^12 203 E"),
    ],
)
def test_an_acknowledgement_is_read(payload: bytes, code: str, text: str) -> None:
    ack = read_ack(payload)
    assert (ack.code, ack.control_id, ack.text) == (code, "C1", text)


def test_an_answer_without_msa_is_no_acknowledgement() -> None:
    with pytest.raises(NoAckError):
        read_ack(b"MSH|^~\\&|A\r")

"""Messages that nobody can apply among good ones: cut off, without a patient, of another version, no HL7 at all."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import cycle
from random import Random

from deploy.simulator.schedule import Planned

_TYPE, _PROCESSING_ID, _VERSION = 8, 10, 11  # of MSH, counting from 0 without the separator itself
_PATIENT_IDS, _VISIT = 3, 19


def poisoned(messages: Iterable[Planned], share: float, seed: int) -> Iterator[Planned]:
    """The messages, with as many spoiled copies among them as make up this share (0…1) of all."""
    random = Random(f"{seed} poison")  # noqa: S311  (repeatable on purpose)
    odds = share / (1 - share)
    kinds = cycle(SPOILERS)
    for number, message in enumerate(messages):
        yield message
        if random.random() < odds:
            payload = next(kinds)(message.payload)
            yield replace(message, control_id=f"{message.control_id}-{number}", payload=payload)


def _no_hl7(payload: bytes) -> bytes:
    return b"<html>" + payload[20:400]


def _cut_off(payload: bytes) -> bytes:
    """In the middle of the patient."""
    return payload[: payload.find(b"PID|") + 8]


def _without_patient(payload: bytes) -> bytes:
    return b"\r".join(line for line in payload.split(b"\r") if not line.startswith(b"PID|"))


def _with(segment: bytes, number: int, value: bytes) -> Callable[[bytes], bytes]:
    def spoil(payload: bytes) -> bytes:
        lines = payload.split(b"\r")
        for place, line in enumerate(lines):
            if line.startswith(segment):
                fields = line.split(b"|")
                fields[number : number + 1] = [value]
                lines[place] = b"|".join(fields)
        return b"\r".join(lines)

    return spoil


SPOILERS: tuple[Callable[[bytes], bytes], ...] = (
    _no_hl7,
    _cut_off,
    _without_patient,
    _with(b"MSH|", _VERSION, b"9.9"),
    _with(b"MSH|", _PROCESSING_ID, b"T"),
    _with(b"MSH|", _TYPE, b"ADT^A99^ADT_A99"),
    _with(b"MSH|", _TYPE, b"\xff\xfe\x00"),
    _with(b"PID|", _PATIENT_IDS, b"^^^&&&"),
    _with(b"PV1|", _VISIT, b"\x00\xff~~^^\\X"),
)

"""What leaves the process as a log line: known keys, and errors without their messages."""

import asyncio
import logging
from typing import Any

import asyncpg
import orjson
import pytest
from pydantic import BaseModel, ValidationError

from shared.telemetry import child_of, configure, current_traceparent, describe_error, log, traced

NAME = "Zebulon Quillfeather"


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    # Configured after the capture began, so that it writes into it.
    configure("ward")

    def lines() -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]

    return lines


def test_unknown_keys_are_dropped_by_name_only(said: Any) -> None:
    log.info("admitted", patient_name=NAME, feed="MERCY")
    (line,) = said()
    assert (line["event"], line["feed"], line["service"]) == ("admitted", "MERCY", "ward")
    assert line["dropped"] == ["patient_name"]
    assert NAME not in str(line)


def test_objects_are_told_by_their_type(said: Any) -> None:
    log.info("admitted", reason={"name": NAME}, subject=["a", 1], error=KeyError(NAME))
    (line,) = said()
    assert (line["reason"], line["subject"]) == ("dict", ["a", 1])
    assert NAME not in str(line)


def test_long_text_is_cut(said: Any) -> None:
    log.info("x", reason="y" * 5000)
    assert len(said()[0]["reason"]) < 250


class Patient(BaseModel):
    born: int


def failures() -> list[BaseException]:
    found: list[BaseException] = [KeyError(NAME), ValueError(NAME), asyncpg.UniqueViolationError(f"Key (mrn)=({NAME})")]
    with pytest.raises(ValidationError) as invalid:
        Patient.model_validate({"born": NAME})
    found.append(invalid.value)
    caused = RuntimeError(NAME)
    caused.__cause__ = ValueError(NAME)
    return [*found, caused, ExceptionGroup(NAME, [ValueError(NAME)])]


def fail_with(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", failures(), ids=lambda error: type(error).__name__)
def test_an_error_is_its_type_and_place(error: BaseException, said: Any) -> None:
    try:
        fail_with(error)
    except BaseException as caught:  # noqa: BLE001  (the table holds an exception group)
        log.error("failed", exc_info=caught)
    (line,) = said()
    assert type(error).__name__ in line["error"]
    assert "tests/unit/http/test_telemetry.py:" in line["error"]
    assert NAME not in str(line)


def test_a_database_error_names_the_constraint() -> None:
    error = asyncpg.UniqueViolationError(f"Key (mrn)=({NAME})")
    error.constraint_name, error.table_name = "patient_mrn_key", "patient"
    assert describe_error(error).startswith("UniqueViolationError (23505, patient, patient_mrn_key) at")


def test_libraries_say_their_template_without_its_values(said: Any) -> None:
    logging.getLogger("somewhere").warning("refused %s\nwith a second line", NAME)
    (line,) = said()
    assert (line["event"], line["logger"], line["level"]) == ("refused %s", "somewhere", "warning")


async def test_a_forgotten_task_does_not_tell_its_error(said: Any) -> None:
    async def fail() -> None:
        raise ValueError(NAME)

    loop = asyncio.get_running_loop()
    task = loop.create_task(fail())
    await asyncio.wait([task])
    loop.call_exception_handler({"message": "Task exception was never retrieved", "exception": task.exception()})
    (line,) = said()
    assert line["level"] == "error"
    assert NAME not in str(line)


def test_a_trace_goes_on_with_a_new_span(said: Any) -> None:
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    with traced(parent) as span:
        assert current_traceparent() == span
        log.info("within")
    assert span.startswith(f"00-{'a' * 32}-")
    assert span != parent
    assert said()[0]["trace_id"] == "a" * 32
    assert current_traceparent() is None


@pytest.mark.parametrize("given", [None, "", "garbage", "00-xyz-1-01", f"00-{'a' * 32}"])
def test_a_broken_trace_is_begun_anew(given: str | None) -> None:
    assert len(child_of(given)) == 55

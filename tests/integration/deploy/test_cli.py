"""The `handoff` command against a running stack, as its user types it."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import StackDriver


async def handoff(stack: StackDriver, *arguments: str) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of one command."""
    environment = {**os.environ, "HANDOFF_RUN_FOLDER": str(stack.settings.run_folder), "COLUMNS": "160"}
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.cli", *arguments, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await done.communicate()
    return done.returncode, output.decode(), errors.decode()


async def answer(stack: StackDriver, *arguments: str) -> Any:
    code, output, errors = await handoff(stack, *arguments, "--json")
    assert code == 0, errors
    return json.loads(output)


def sources(effects: list[dict[str, Any]]) -> set[str]:
    return {one for effect in effects for one in (effect["source"], *sources(effect["effects"]))}


async def test_send_tells_what_became_of_each_message(stack: StackDriver) -> None:
    told = await answer(stack, "send", "--sample")
    assert {one["ack"] for one in told} == {"AA"}
    assert all(one["stored"] for one in told)
    assert {"intake", "transitions", "careplan"} <= sources(told[-1]["effects"])


async def test_send_says_why_there_is_no_effect(stack: StackDriver, tmp_path: Path) -> None:
    file = tmp_path / "unsupported.hl7"
    file.write_bytes(b"MSH|^~\\&|A|GENHOSP|B|C|20260302||ADT^A99^ADT_A99|CLI1|P|2.5\rEVN||20260302\r")
    code, output, _ = await handoff(stack, "send", str(file))
    assert (code, "none, because unsupported" in output) == (0, True), output


async def test_send_fails_on_a_refused_message_and_on_no_message(stack: StackDriver, tmp_path: Path) -> None:
    refused, empty = tmp_path / "refused.hl7", tmp_path / "empty.hl7"
    refused.write_bytes(b"MSH|^~\\&|A|GENHOSP|B|C|20260302||ADT^A01^ADT_A01|CLI2|P|9.9\r")
    empty.write_bytes(b"nothing\n")
    assert (await handoff(stack, "send", str(refused)))[0] == 1
    code, _, errors = await handoff(stack, "send", str(empty))
    assert (code, "none begins with MSH" in errors) == (2, True)


async def test_simulate_reports_what_was_acknowledged(stack: StackDriver, tmp_path: Path) -> None:
    log = tmp_path / "sent.jsonl"
    options = ["--patients", "3", "--rate", "100", "--stay-seconds", "0.1", "--log", str(log)]
    told = await answer(stack, "simulate", *options)
    assert told["acknowledged"] == told["sent"] == len(log.read_text().splitlines())


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (
            ["status"],
            {"broker", "postgres", "issuer", "intake", "transitions", "careplan", "notifications", "dashboard"},
        ),
        (["hops"], {"outbox", "parked"}),
        (["audit", "verify"], set()),
        (["provision"], set()),
        (["epoch", "raise"], set()),
        (["migrate"], set()),
        (["positions"], set()),
        (["republish"], set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
async def test_a_listing_is_json_for_programs(stack: StackDriver, command: list[str], named: set[str]) -> None:
    rows = await answer(stack, *command)
    assert named <= {row["name"] for row in rows if "name" in row}


async def test_a_token_is_bound_to_its_role(stack: StackDriver) -> None:
    code, token, _ = await handoff(stack, "token", "provider-system", "--organisation", "lakeside-primary-care")
    assert (code, token.count(".")) == (0, 2)


async def test_deciding_on_what_is_not_parked_is_one_line(stack: StackDriver) -> None:
    code, _, errors = await handoff(stack, "parked", "release", "careplan", "careplan", "nobody")
    assert (code, len(errors.splitlines())) == (1, 1)


async def test_without_a_stack_the_exit_code_is_three(stack: StackDriver, tmp_path: Path) -> None:
    elsewhere = {**os.environ, "HANDOFF_RUN_FOLDER": str(tmp_path)}
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.cli", "status", env=elsewhere, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await done.communicate()
    assert (done.returncode, b"no stack runs in" in errors) == (3, True)

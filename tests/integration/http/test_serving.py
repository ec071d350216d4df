"""A service as a process: it ends clean on a signal, with 1 when half of it fails, with 2 on wrong settings."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from fastapi import APIRouter

from deploy.local.ports import free_port
from shared.http import HttpSettings, create_app, serve

WARD = """
import asyncio, sys
from pydantic_settings import BaseSettings
from shared.http import HttpSettings, create_app, environment, read_settings, serve
from shared.telemetry import configure

class Settings(BaseSettings):
    model_config = environment("WARD_")
    http: HttpSettings = HttpSettings(port=8099)

async def watch():
    try:
        await asyncio.Event().wait()
    finally:
        print("watch ended", flush=True)

async def fail():
    if await asyncio.to_thread(sys.stdin.readline):
        raise KeyError("Zebulon")
    await asyncio.Event().wait()

settings = read_settings(Settings)
configure("ward")
app = create_app("ward", database=None, settings=settings.http, routers=[])
asyncio.run(serve(app, settings.http, watch, fail))
"""


def start(port: int, *, code: str = WARD, **more: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "WARD_HTTP__PORT": str(port), **more}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def wait_until_alive(process: "subprocess.Popen[str]", port: int) -> None:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    pytest.fail("the service does not answer")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_clean(number: signal.Signals) -> None:
    port = free_port()
    process = start(port)
    wait_until_alive(process, port)
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 0, err
    assert "watch ended" in out
    assert err == ""


def test_a_failure_of_background_work_ends_it_with_1() -> None:
    port = free_port()
    process = start(port)
    wait_until_alive(process, port)
    out, err = process.communicate("\n", timeout=10)
    assert process.returncode == 1
    assert "watch ended" in out
    assert "background work failed" in out
    assert "Zebulon" not in out + err


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start(port)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err == f"ward: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_wrong_settings_end_it_with_2() -> None:
    process = start(0, WARD_HTTP__MAX_BODY_BYTES="-1")
    out, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert out == ""
    assert err.startswith("WARD_HTTP__MAX_BODY_BYTES: saw '-1', wants: greater than or equal to 1024")


async def test_a_route_without_a_policy_is_never_served() -> None:
    router = APIRouter()

    @router.get("/forgotten")
    async def forgotten() -> None:
        return None

    settings = HttpSettings(port=free_port())
    app = create_app("ward", database=None, settings=settings, routers=[router])
    with pytest.raises(RuntimeError, match="routes without a policy: /forgotten"):
        await serve(app, settings)


LONG_WORD = WARD.replace(
    'print("watch ended", flush=True)',
    "ends = asyncio.Event(); asyncio.get_running_loop().call_later(2.0, ends.set); await ends.wait(); "
    'print("watch drained", flush=True)',
).replace("serve(app, settings.http, watch, fail)", "serve(app, settings.http, watch, patience_s=20)")


def test_background_work_gets_the_time_it_asks_for_to_end() -> None:
    port = free_port()
    process = start(port, code=LONG_WORD, WARD_HTTP__DRAIN_SECONDS="1")
    wait_until_alive(process, port)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=15)
    assert (process.returncode, err) == (0, "")
    assert "watch drained" in out

"""A faust worker of the smallest kind, run as a process by the tests: it prints what its agent was given.

Usage: python -m tests.integration.signals.skipping BOOTSTRAP TOPIC APPLICATION; its agent raises on the value 3.
"""

import asyncio
import sys
from typing import Any

import faust

RAISES_ON = b"3"


def make_app(bootstrap: str, topic: str, name: str) -> faust.App:
    app = faust.App(
        name,
        broker=f"kafka://{bootstrap}",
        store="memory://",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=10.0,
        broker_heartbeat_interval=1.0,
        broker_commit_interval=0.5,
        stream_wait_empty=False,
    )

    async def body(stream: Any) -> None:
        async for value in stream:
            sys.stdout.write(f"{value.decode()}\n")
            sys.stdout.flush()
            if value == RAISES_ON:
                raise ValueError("an agent that fails")

    app.agent(app.topic(topic, key_serializer="raw", value_serializer="raw"), name="skipping")(body)
    return app


async def main() -> None:
    async with make_app(*sys.argv[1:]):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())

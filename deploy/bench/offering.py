"""A load of whole, present-day stays of the simulated hospitals, as long as real ones: they get tasks, plans, notices.

The load client beside the floor sends stays of long ago, which are history to the rules; so what is measured behind
intake is fed from here, and so is the bare pipeline that it is compared with. A program of its own, as the load client
is: `python -m deploy.bench.offering --port …` prints what it saw as one JSON object.
"""

import argparse
import asyncio
import time
import zlib
from collections import deque
from itertools import islice

import orjson

from deploy.bench.figures import percentile
from deploy.bench.mixing import mixed
from deploy.bench.poisoning import poisoned
from deploy.chaos.offering import stories
from deploy.chaos.plan import Size
from deploy.simulator.schedule import Planned

START, END = b"\x0b", b"\x1c\r"
LONGEST_ACK_S = 60.0
# Of 191 million stays a year in the United States 155 million end in the emergency room, after about 5 messages each;
# the others have about 20.
EMERGENCY = 155 / 191


class Offering:
    """Sends lock-step. A stay keeps its connection, so that none of its messages overtakes another."""

    def __init__(self, port: int, connections: int, messages: list[Planned], rate: float) -> None:
        self._port = port
        self._rate = rate
        self._lanes: list[deque[tuple[int, bytes]]] = [deque() for _ in range(connections)]
        for number, message in enumerate(messages):
            lane = zlib.crc32(message.visit.encode()) % connections
            self._lanes[lane].append((number, START + message.payload + END))
        self.ack_ms: list[float] = []
        self.errors = 0

    async def run(self) -> float:
        """Returns after how many seconds everything was answered."""
        began = time.monotonic()
        await asyncio.gather(*(self._send(lane, began) for lane in self._lanes))
        return time.monotonic() - began

    async def _send(self, lane: deque[tuple[int, bytes]], began: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while lane:
            number, frame = lane.popleft()
            if self._rate and (wait := began + number / self._rate - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            sent = time.perf_counter()
            writer.write(frame)
            answer = await asyncio.wait_for(reader.readuntil(END), LONGEST_ACK_S)
            self.ack_ms.append(1000 * (time.perf_counter() - sent))
            self.errors += b"MSA|AA|" not in answer
        writer.close()


def main() -> None:
    asked = _asked()
    size = Size(messages=asked.messages, kills=0, rate=asked.rate or 200.0, duplicates=0.0)
    told = stories(asked.seed, size, emergency=EMERGENCY, updates=True)
    told = mixed(told) if asked.mixed else told
    told = poisoned(told, asked.poison, asked.seed) if asked.poison else told
    messages = list(islice(told, asked.messages))
    offering = Offering(asked.port, asked.connections, messages, asked.rate)
    seconds = asyncio.run(offering.run())
    shown = {f"p{q}": percentile(offering.ack_ms, q / 100) for q in (50, 95, 99)}
    said = {"acked": {"all": len(messages)}, "msgs_per_s": len(messages) / seconds, "seconds": seconds}
    print(orjson.dumps(said | {"ack_ms": shown, "errors": offering.errors}).decode())


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.bench.offering", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--rate", type=float, default=0.0, help="messages a second in all; 0: as fast as they are answered"
    )
    parser.add_argument("--mixed", action="store_true", help="with results, documents, appointments and referrals")
    parser.add_argument("--poison", type=float, default=0.0, help="share of messages that nobody can apply, 0 to 1")
    return parser.parse_args()


if __name__ == "__main__":
    main()

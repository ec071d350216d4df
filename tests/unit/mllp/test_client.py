"""The sending end against a receiver on a real socket that answers as it is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from shared.mllp import MllpClient, MllpTarget, NoAckError, RefusedError, control_id_of, framed

Answer = Callable[[bytes], list[bytes] | None]
QUICK = (0.01,)


def message(control_id: str) -> bytes:
    return f"MSH|^~\\&|A|B|||20260302||ADT^A01|{control_id}|P|2.5\rPID|1\r".encode()


def ack(code: str, control_id: str) -> bytes:
    return framed(f"MSH|^~\\&|R\rMSA|{code}|{control_id}\r".encode())


@asynccontextmanager
async def receiver(answer: Answer) -> AsyncIterator[tuple[MllpClient, list[str]]]:
    """A client of a receiver whose answer to each frame is `answer`: pieces to write, or None to hang up."""
    heard: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                frame = await reader.readuntil(b"\x1c\x0d")
                heard.append(control_id_of(frame[1:-2]))
                pieces = answer(frame[1:-2])
                if pieces is None:
                    return
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, MllpClient(MllpTarget("127.0.0.1", port, answer_s=2.0)) as client:
        yield client, heard


async def test_one_message_after_another_on_one_connection() -> None:
    async with receiver(lambda frame: [ack("AA", control_id_of(frame))]) as (client, heard):
        assert [(await client.send(message(n))).code for n in "123"] == ["AA"] * 3
    assert heard == ["1", "2", "3"]


async def test_an_answer_in_single_bytes_is_read_whole() -> None:
    async with receiver(lambda frame: [bytes([b]) for b in ack("AA", control_id_of(frame))]) as (client, _):
        assert (await client.send(message("1"))).positive


async def test_the_second_acknowledgement_of_enhanced_mode_is_not_taken_for_the_next_messages() -> None:
    both = lambda frame: [ack("CA", control_id_of(frame)) + ack("AE", control_id_of(frame))]  # noqa: E731
    async with receiver(both) as (client, _):
        assert [(await client.send(message(n))).control_id for n in "12"] == ["1", "2"]


async def test_a_receiver_that_hangs_up_gets_the_message_again() -> None:
    hang_ups = iter([None, None])
    answer: Answer = lambda frame: next(hang_ups, [ack("AA", control_id_of(frame))])  # noqa: E731
    async with receiver(answer) as (client, heard):
        assert (await client.deliver(message("1"), QUICK)).code == "AA"
    assert heard == ["1", "1", "1"]


async def test_a_content_error_is_not_sent_again_and_a_rejection_is() -> None:
    codes = iter(["AR", "CR", "AE"])
    async with receiver(lambda frame: [ack(next(codes), control_id_of(frame))]) as (client, heard):
        with pytest.raises(RefusedError) as refused:
            await client.deliver(message("1"), QUICK)
    assert (refused.value.ack.code, len(heard)) == ("AE", 3)


async def test_attempts_are_bounded() -> None:
    async with receiver(lambda frame: [ack("AR", control_id_of(frame))]) as (client, heard):
        with pytest.raises(RefusedError):
            await client.deliver(message("1"), QUICK, attempts=2)
    assert len(heard) == 2


@pytest.mark.parametrize("answer", [ack("AA", "another"), framed(b"MSH|^~\\&|R\r"), framed(b"x" * 70_000)])
async def test_what_acknowledges_another_message_leaves_the_outcome_unknown(answer: bytes) -> None:
    async with receiver(lambda _: [answer]) as (client, _):
        with pytest.raises(NoAckError):
            await client.send(message("1"))


async def test_a_receiver_that_says_nothing_is_given_up_in_time() -> None:
    async with receiver(lambda _: []) as (client, _):
        with pytest.raises(NoAckError):
            await client.send(message("1"))


async def test_nobody_listens() -> None:
    with pytest.raises(NoAckError):
        await MllpClient(MllpTarget("127.0.0.1", 1)).send(message("1"))

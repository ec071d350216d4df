"""Messages, batches and streams of frames by a grammar of what senders do: nothing crashes, hangs or gets lost."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.mllp import framed
from tests.fuzz.checks import check_batch, check_framed, check_frames, check_message
from tests.fuzz.grammar import batches, messages

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "120"))
NOISE = st.sampled_from((b"", b"\x0b", b"\x1c", b"\r", b"\x1c\r", b"\x0b\x0b", b"noise", b"\x06", b"\x15"))


@settings(max_examples=EXAMPLES)
@given(messages())
def test_any_message_is_read_applied_and_answered(raw: bytes) -> None:
    check_message(raw)


@settings(max_examples=EXAMPLES)
@given(batches())
def test_any_batch_is_split(raw: bytes) -> None:
    check_batch(raw)


@settings(max_examples=EXAMPLES // 3)
@given(messages(), messages(), NOISE, NOISE)
def test_every_split_of_two_frames(first: bytes, second: bytes, between: bytes, behind: bytes) -> None:
    """Two frames and what may stand between them, cut into two at every byte."""
    stream = framed(first[:60]) + between + framed(second[:60]) + behind
    for cut in range(len(stream) + 1):
        check_frames(stream, (cut,))


@settings(max_examples=EXAMPLES)
@given(st.lists(st.one_of(messages().map(framed), NOISE), max_size=5), st.lists(st.integers(0, 5000), max_size=12))
def test_any_cuts_of_a_stream(parts: list[bytes], cuts: list[int]) -> None:
    check_frames(b"".join(parts), tuple(cuts))


@given(messages())
def test_a_framed_message_comes_out_as_it_went_in(raw: bytes) -> None:
    check_framed(raw)

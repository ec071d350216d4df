from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.mllp.framing import EXCERPT_BYTES, Decoder, Frame, TooLarge, Truncated, framed

MOST = 10_000
PAYLOAD = st.binary(max_size=60).map(lambda raw: raw.replace(b"\x0b", b"").replace(b"\x1c", b""))


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)])]


@given(st.lists(PAYLOAD, max_size=5), st.lists(st.integers(0, 1000), max_size=10))
def test_frames_come_out_whole_however_they_are_cut(payloads: list[bytes], cuts: list[int]) -> None:
    decoder = Decoder(MOST)
    stream = b"".join(framed(payload) for payload in payloads)
    found = [item for chunk in chunks(stream, cuts) for item in decoder.feed(chunk)]
    assert found == [Frame(payload) for payload in payloads]
    assert not decoder.is_inside


def test_every_single_split_of_a_frame() -> None:
    data = framed(b"MSH|^~\\&|A|B\rPID|1\r")
    for cut in range(len(data) + 1):
        decoder = Decoder(MOST)
        assert [*decoder.feed(data[:cut]), *decoder.feed(data[cut:])] == [Frame(b"MSH|^~\\&|A|B\rPID|1\r")]


def test_bytes_before_a_start_block_are_dropped() -> None:
    assert list(Decoder(MOST).feed(b"\r\n noise" + framed(b"a") + b"more" + framed(b"b"))) == [Frame(b"a"), Frame(b"b")]


def test_a_start_block_inside_means_that_the_frame_before_was_cut() -> None:
    assert list(Decoder(MOST).feed(b"\x0bhalf a me" + framed(b"whole"))) == [Truncated(b"half a me"), Frame(b"whole")]
    decoder = Decoder(MOST)
    assert list(decoder.feed(b"\x0bhalf")) == []
    assert list(decoder.feed(b"\x0bwho")) == [Truncated(b"half")]
    assert list(decoder.feed(b"le\x1c\x0d")) == [Frame(b"whole")]


def test_a_lone_end_character_is_part_of_the_message() -> None:
    assert list(Decoder(MOST).feed(framed(b"a\x1cb"))) == [Frame(b"a\x1cb")]


def test_a_frame_that_is_too_large_is_refused_from_its_beginning_and_never_kept() -> None:
    decoder = Decoder(MOST)
    found = list(decoder.feed(b"\x0b" + b"x" * 5000))
    assert found == []
    found = list(decoder.feed(b"y" * 6000))
    assert found == [TooLarge(b"x" * EXCERPT_BYTES)]
    assert (decoder.partial, decoder.is_closed) == (b"", True)
    assert list(decoder.feed(framed(b"later"))) == []


def test_a_frame_that_is_too_large_is_refused_even_if_its_end_came_at_once() -> None:
    assert list(Decoder(MOST).feed(framed(b"x" * (MOST + 1)))) == [TooLarge(b"x" * EXCERPT_BYTES)]

"""Files of messages are split whatever surrounds the messages."""

import pytest

from services.intake.batches import Splitter, split
from tests.unit.intake.messages import adt

ONE, TWO = adt("A01", control_id="1"), adt("A03", control_id="2")
LF = ONE.replace(b"\r", b"\n")


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (b"", 0),
        (b"just text\nMSH is a word\n", 0),
        (ONE, 1),
        (ONE + TWO, 2),
        (LF + TWO.replace(b"\r", b"\r\n"), 2),
        (b"\xef\xbb\xbf" + ONE + b"\r\n" + TWO, 2),
        (b"\x0b" + ONE + b"\x1c\x0d\x0b" + TWO + b"\x1c\x0d", 2),
        (b"FHS|^~\\&|X\rBHS|^~\\&|Y\r" + ONE + TWO + b"BTS|2\rFTS|1\r", 2),
        (b"MSH#^~\\&#A#B\rPID#1\rMSH|^~\\&|A|B\r", 2),
        (b'{"a": 1}\n{"b": 2}\n', 2),
        (b'{\n "a": 1\n}\n', 1),
    ],
)
def test_messages_are_found(content: bytes, count: int) -> None:
    assert len(split(content).messages) == count


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf \r\nFHS|^~\\&|X\rBHS|^~\\&|Y\r" + ONE + TWO + b"BTS|2\rBHS|\r" + LF + b"BTS|12\rFTS|2\r",
        b"\x0b" + ONE + b"\x1c\x0d\x0b" + TWO + b"\x1c\x0d",
        b"notes\nMSH is a word\n" + TWO,
        b'\xef\xbb\xbf{"a": 1}\r\n\n{"b": 2}\n{"c": 3}',
        b'{\n "a": 1\n}\n',
        b'[{"a": 1},\n{"b": 2}]',
        ("\ufeff" + ONE.decode() + "\n" + TWO.decode()).encode("utf-16-le"),
        b"",
        b"\xef\xbb",
    ],
)
def test_a_file_in_pieces_is_split_like_the_whole(content: bytes, size: int) -> None:
    splitter = Splitter()
    found = [one for at in range(0, len(content), size) for one in splitter.feed(content[at : at + size])]
    found += splitter.end()
    whole = split(content)
    assert (tuple(found), splitter.announced) == (whole.messages, whole.announced)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
def test_what_windows_calls_unicode_is_handed_out_as_utf_8(codec: str) -> None:
    name = ONE.decode().replace("Testa", "M\u00fcller")
    assert split(("\ufeff" + name + TWO.decode()).encode(codec)).messages == (name.encode(), TWO)
    assert split("\ufeffcut".encode(codec)[:-1]).messages == ()


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize(
    ("content", "is_batch"), [(b"FHS|^~\\&|X\rFTS|0\r", True), (b"\r\nBHS|\rBTS\r", True), (b"FHSX a table\n", False)]
)
def test_a_batch_of_no_messages_is_one(content: bytes, is_batch: bool, size: int) -> None:  # noqa: FBT001
    splitter = Splitter()
    found = [one for at in range(0, len(content), size) for one in splitter.feed(content[at : at + size])]
    assert (found + splitter.end(), splitter.is_batch) == ([], is_batch)


def test_no_more_is_held_than_the_message_under_way() -> None:
    splitter = Splitter()
    found = [len(splitter.feed(ONE)) for _ in range(1000)]
    assert (sum(found), found[0], set(found[1:])) == (999, 0, {1})
    assert len(splitter._rest) == len(ONE)


def test_a_message_is_what_it_was_without_its_envelope() -> None:
    batch = split(b"FHS|^~\\&|X\rBHS|^~\\&|Y\r" + ONE + TWO + b"BTS|2\rFTS|1\r")
    assert batch.messages == (ONE, TWO)
    assert (batch.announced, batch.is_complete) == (2, True)
    assert split(LF).messages[0].startswith(b"MSH|^~\\&|ADT1|")


def test_a_batch_says_how_many_there_should_be() -> None:
    short = split(b"BHS|^~\\&|Y\r" + ONE + b"BTS|3\r")
    assert (short.announced, short.is_complete, short.messages) == (3, False, (ONE,))


@pytest.mark.parametrize("count", [b"9" * 5000, b"999999999\rBTS|999999999\rBTS|999999999"])
def test_an_absurd_count_is_a_wrong_one(count: bytes) -> None:
    batch = split(ONE + b"BTS|" + count + b"\r")
    assert not batch.is_complete
    assert batch.announced is not None
    assert batch.announced < 2**31

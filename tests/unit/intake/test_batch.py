"""Splitting of batches and of files of many messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.batch import Answers, is_batch, split

ONE, TWO = b"MSH|^~\\&|A|B\rPID|1\r", b"MSH|^~\\&|C|D\rPID|2|MSH in text\r"


@pytest.mark.parametrize(
    ("raw", "messages", "doubts"),
    [
        (ONE, (ONE,), ()),
        (ONE + TWO, (ONE, TWO), ()),
        (ONE.replace(b"\r", b"\r\n") + TWO, (ONE[:-1].replace(b"\r", b"\r\n") + b"\r", TWO), ()),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + ONE + TWO + b"BTS|2\rFTS|1\r", (ONE, TWO), ()),
        (b"BHS|^~\\&\r" + ONE + b"BTS|2\r", (ONE,), ("BTS-1",)),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + ONE + b"BTS|1\rBHS|^~\\&\r" + TWO + b"BTS|1|x\rFTS|1\r", (ONE, TWO), ("FTS-1",)),
        (b"BHS|^~\\&\r" + ONE + b"BTS\r", (ONE,), ()),
        (b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r", (ONE, TWO), ()),
        (b"FHS|^~\\&\rFTS|0\r", (), ()),
        (b"", (), ()),
        (b"no message", (), ()),
    ],
)
def test_split(raw: bytes, messages: tuple[bytes, ...], doubts: tuple[str, ...]) -> None:
    found = split(raw)
    assert (found.messages, found.doubts) == (messages, doubts)


def test_one_message_is_no_batch() -> None:
    assert not is_batch(ONE)
    assert not is_batch(TWO)
    assert is_batch(ONE + TWO)
    assert is_batch(b"BHS|^~\\&\r" + ONE)


@given(st.binary(max_size=300))
def test_any_bytes_can_be_split(raw: bytes) -> None:
    assert all(message.startswith(b"MSH") for message in split(raw).messages)


@given(st.lists(st.sampled_from([ONE, TWO]), min_size=1, max_size=9))
def test_nothing_is_lost_whatever_the_number(messages: list[bytes]) -> None:
    assert list(split(b"FHS|^~\\&\rBHS|^~\\&\r" + b"".join(messages) + b"BTS\rFTS\r").messages) == messages


def test_acknowledgements_of_a_batch_leave_together() -> None:
    answers = Answers(2)
    assert answers.collect([b"MSH|1\rMSA|AA\r"]) == []
    [answer] = answers.collect([b"MSH|2\rMSA|AE\r"])
    assert [line[:3] for line in answer.split(b"\r")[:-1]] == [b"BHS", b"MSH", b"MSA", b"MSH", b"MSA", b"BTS"]
    assert answer.endswith(b"BTS|2\r")
    assert Answers(1).collect([]) == []

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake import er7
from services.intake.er7 import NoHeaderError, Separators, read, unescape
from tests.unit.intake.messages import specimen

STANDARD = Separators()


def with_charset(declared: str, family: str) -> str:
    msh = "|".join(["MSH", "^~\\&", "A", "B", *[""] * 13, declared])
    return f"{msh}\rPID|||||{family}\r"


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"line\.br\break", "line\nbreak"),
        (r"\H\loud\N\ and not", "loud and not"),
        ("\\X41424A\\", "ABJ"),
        ("\\XC3A9\\", "é"),
        (r"\X4\ odd digits", r"\X4\ odd digits"),
        (r"\Zlocal\ stays", r"\Zlocal\ stays"),
        (r"C:\temp", r"C:\temp"),
        (r"ends with \ ", r"ends with \ "),
        (r"\X00\nul", "nul"),
    ],
)
def test_escapes_are_resolved_and_unknown_ones_kept(escaped: str, plain: str) -> None:
    assert unescape(escaped, STANDARD) == plain


def test_separators_are_read_not_assumed() -> None:
    message = read(specimen("a04-ed-arrival-other-separators"))
    pid = message.first("PID")
    assert message.separators == Separators("$", "%", "*", "!", "@")
    assert pid is not None
    assert pid.value(5)[1] == "O%Neil"
    assert (pid.value(5)[2], pid.value(5).second(2)) == ("Mary", "Jo")


def test_msh_counts_from_the_separator_itself() -> None:
    header = read(specimen("a01-admission")).header
    assert (header.raw(1), header.raw(2), header.raw(10)) == ("|", "^~\\&", "C0001")


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_any_line_end_will_do(end: bytes) -> None:
    message = read(specimen("a01-admission").replace(b"\r", end))
    assert [segment.raw(1) for segment in message.all("PID")] == ["1"]
    assert set(message.lines) == {"MSH", "EVN", "PID", "PV1", "PV2", "DG1"}


def test_null_is_not_empty() -> None:
    message = read(b'MSH|^~\\&|A|B\rPID|""||""^x|\r')
    pid = message.first("PID")
    assert pid is not None
    assert (pid.is_null(1), pid.is_null(2), pid.text(1), pid.text(2)) == (True, False, None, None)
    assert (pid.value(3)[1], pid.value(3)[2]) == (None, "x")


def test_empty_repetitions_keep_their_place() -> None:
    pid = read(b"MSH|^~\\&|A|B\rPID|||a~~c\r").first("PID")
    assert pid is not None
    assert [one[1] for one in pid.repetitions(3)] == ["a", None, "c"]


@pytest.mark.parametrize(
    ("declared", "charset"),
    [("UNICODE UTF-8", "utf-8"), ("8859/1", "iso-8859-1"), ("8859/2", "iso-8859-2"), ("", "utf-8"), ("", "cp1252")],
)
def test_charsets_declared_and_not(declared: str, charset: str) -> None:
    raw = with_charset(declared, "Müller").encode(charset)
    message = read(raw)
    pid = message.first("PID")
    assert pid is not None
    assert pid.text(5) == "Müller"
    assert ("MSH-18" in message.doubts) == (charset == "cp1252")


def test_a_wrongly_declared_charset_falls_back_and_leaves_a_doubt() -> None:
    message = read(with_charset("UNICODE UTF-8", "Müller").encode("cp1252"))
    pid = message.first("PID")
    assert pid is not None
    assert (pid.text(5), sorted(set(message.doubts))) == ("Müller", ["MSH-18"])


def test_nul_bytes_are_taken_out() -> None:
    message = read(b"MSH|^~\\&|A|B\rPID|||a\x00b\r")
    pid = message.first("PID")
    assert pid is not None
    assert (pid.text(3), message.doubts) == ("ab", ["NUL"])


@pytest.mark.parametrize("raw", [b"", b"MSH", b"PID|1", b"MSHA^~\\&A", b"\x00\xff", specimen("garbage")])
def test_without_a_header_there_is_no_message(raw: bytes) -> None:
    with pytest.raises(NoHeaderError):
        read(raw)


def test_a_sender_without_escape_character_uses_none() -> None:
    pid = read(b"MSH|^~|A|B\rPID|||a\\F\\b&c\r").first("PID")
    assert pid is not None
    assert pid.text(3) == "a\\F\\b&c"


@pytest.mark.parametrize(
    ("declared", "separators"),
    [
        ("^~\\&", STANDARD),
        ("^~\\&#", STANDARD),  # truncation, from 2.7 on
        ("^~\\\\&", STANDARD),  # doubled on the way
        ("^~&", Separators(escape=er7.UNUSED)),  # lost on the way
        ("^", Separators("|", "^", er7.UNUSED, er7.UNUSED, er7.UNUSED)),
    ],
)
def test_what_became_of_msh_2_on_the_way(declared: str, separators: Separators) -> None:
    assert read(f"MSH|{declared}|A|B\rPID|1\r".encode()).separators == separators


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail_otherwise(tail: bytes) -> None:
    message = er7.read(b"MSH|^~\\&|A|B\r" + tail)
    for name in message.lines:
        for segment in message.all(name):
            for number in range(len(segment.fields) + 1):
                segment.text(number)
                [one[position] for one in segment.repetitions(number) for position in (1, 2, 9)]


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\x00"), max_size=40))
def test_what_was_escaped_comes_back(value: str) -> None:
    escaped = value.replace("\\", "\\E\\")
    for character, code in (("|", "F"), ("^", "S"), ("&", "T"), ("~", "R")):
        escaped = escaped.replace(character, f"\\{code}\\")
    pid = read(with_charset("UNICODE UTF-8", f"x{escaped}").encode()).first("PID")
    assert pid is not None
    assert pid.text(5) == "x" + value


def test_what_stands_before_the_first_patient_belongs_to_each_but_is_not_copied_without_bound() -> None:
    ahead = "".join(f"ZZZ|{n}\r" for n in range(5_000))
    patients = "".join(f"PID|{n}\r" for n in range(5_000))
    parts = er7.read(f"MSH|^~\\&|A|B\rEVN||20260306\r{ahead}{patients}".encode()).parts("PID")
    assert len(parts) == 5_000
    assert all(len(part.written) <= er7.MOST_BEFORE + 2 for part in parts)
    assert {evn.text(2) for part in parts[:3] for evn in part.all("EVN")} == {"20260306"}

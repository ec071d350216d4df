"""What MSH-18 declares, what is sent all the same, and what a feed's configuration says over both."""

import pytest

from services.intake import er7
from services.intake.acknowledgement import acknowledge
from services.intake.arrival import read_arrival
from services.intake.er7 import Separators, unescape
from services.intake.feeds import Feed, Feeds, Sender
from services.intake.message import Outcome, Verdict
from services.intake.reading import heading_of
from shared.events.people import Facility
from tests.unit.intake.statements import RECEIVED


def named(family: str, declared: str, application: str = "ADT1") -> str:
    msh = "|".join(["MSH", "^~\\&", application, "GENHOSP", *[""] * 4, "ADT^A28", "1", "P", "2.5.1", *[""] * 5])
    return f"{msh}|{declared}\rPID|1||MRN001^^^GENHOSP^MR||{family}\r"


def family_in(message: er7.Message) -> str | None:
    pid = message.first("PID")
    return pid.text(5) if pid else None


# Declared in MSH-18, as sent, and whether that leaves a doubt.
DECLARED = [
    ("", "Muller", "ascii", False),
    ("ASCII", "Muller", "ascii", False),
    ("ISO IR6", "Muller", "ascii", False),
    ("ISO IR6", "Müller", "utf-8", False),  # undeclared bytes that are UTF-8
    ("ISO IR6", "Müller", "cp1252", True),  # undeclared bytes that are not
    ("", "Müller", "utf-8", False),
    ("", "Müller", "cp1252", True),
    ("UNICODE UTF-8", "Müller 山田", "utf-8", False),
    ("UNICODE UTF-8", "Müller", "cp1252", True),  # the declared one is a lie
    ("8859/1", "Müller", "iso-8859-1", False),
    ("8859/2", "Dvořák", "iso-8859-2", False),
    ("8859/5", "Иванов", "iso-8859-5", False),
    ("8859/7", "Παπαδόπουλος", "iso-8859-7", False),
    ("8859/8", "כהן", "iso-8859-8", False),
    ("8859/9", "Gökçe", "iso-8859-9", False),
    ("8859/15", "Œuvray €", "iso-8859-15", False),
    ("ISO-8859-1", "Müller", "iso-8859-1", False),
    ("windows-1251", "Иванов", "cp1251", False),
    ("GB 18030-2000", "王小明", "gb18030", False),
    ("KS X 1001", "김철수", "euc_kr", False),
    ("BIG-5", "王小明", "big5", False),
    ("ISO IR87", "山田", "iso2022_jp", False),
    ("~ISO IR87", "山田", "iso2022_jp", False),  # one charset, and a further one that its bytes switch to
    ("ASCII~ISO IR87", "山田", "iso2022_jp", False),
    ("ASCII~ISO IR87~ISO IR159", "山田", "iso2022_jp", False),
    ("8859/1~8859/5", "Müller", "iso-8859-1", False),
    ("KLINGON", "Müller", "utf-8", False),
    ("KLINGON", "Müller", "cp1252", True),
]


@pytest.mark.parametrize(("declared", "family", "codec", "doubted"), DECLARED)
def test_what_is_declared_is_read(declared: str, family: str, codec: str, *, doubted: bool) -> None:
    message = er7.read(named(family, declared).encode(codec))
    assert family_in(message) == family
    assert ("MSH-18" in message.doubts) is doubted


def test_utf8_declared_as_latin_is_read_as_declared_and_doubted() -> None:
    message = er7.read(named("Müller", "8859/1").encode())
    assert (family_in(message), message.doubts) == ("MÃ¼ller", ["MSH-18"])


@pytest.mark.parametrize(
    ("charset", "declared", "codec", "family"),
    [
        ("utf-8", "8859/1", "utf-8", "Müller"),
        ("iso-8859-2", "8859/1", "iso-8859-2", "Dvořák"),
        ("shift_jis", "ISO IR87", "shift_jis", "山田"),
        ("iso2022_jp", "", "iso2022_jp", "山田"),
        ("iso2022_jp", "", "ascii", "Muller"),
    ],
)
def test_a_feed_may_know_better_than_its_sender(charset: str, declared: str, codec: str, family: str) -> None:
    feed = Feed(name="f", senders=(Sender(),), facility=Facility(code="G", time_zone="UTC"), charset=charset)
    raw = named(family, declared).encode(codec)
    arrival = read_arrival(raw, Feeds(feeds=(feed,)), "10.0.0.1", received=RECEIVED)
    assert arrival.adt
    assert arrival.adt.demographics["name"]["family"] == family
    assert "MSH-18" not in arrival.doubts


def test_where_the_feed_is_wrong_the_message_is_believed_and_doubted() -> None:
    feed = Feed(name="f", senders=(Sender(),), facility=Facility(code="G", time_zone="UTC"), charset="utf-8")
    raw = named("Müller", "8859/1").encode("latin-1")
    arrival = read_arrival(raw, Feeds(feeds=(feed,)), "10.0.0.1", received=RECEIVED)
    assert arrival.adt
    assert (arrival.adt.demographics["name"]["family"], arrival.doubts) == ("Müller", ("MSH-18",))


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("\\C2D4C\\Ø\\C2842\\ plain", "и plain"),  # 8859/5, and back
        ("\\C2D42\\Dvo\xf8\xe1k", "Dvořák"),
        ("\\C2D46\\\xc1\\C2D48\\\xe0", "Αא"),  # a switch ends the one before it
        ("\\C2D41\\M\xfcller", "Müller"),
        ("\\M2442\\;3ED\\C2842\\ Taro", "山田 Taro"),
        ("\\M2442\\;3ED\\C284A\\ Taro", "山田 Taro"),
        ("\\C2949\\\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ"),
        ("\\M2442\\;", ";"),  # half a character: stays as it was sent
        ("\\C2D4C\\Ω", "Ω"),  # no byte of that charset
        ("\\c2d41\\M\xfcller", "Müller"),
        ("\\C9999\\x", "\\C9999\\x"),
        ("\\M2442\\;3ED\\C2842\\\\T\\ Co", "山田& Co"),
    ],
)
def test_charsets_are_switched_inside_a_text(escaped: str, plain: str) -> None:
    assert unescape(escaped, Separators()) == plain


@pytest.mark.parametrize(
    ("declared", "codec", "application"),
    [
        ("8859/1", "latin-1", "Größe"),
        ("8859/5", "iso-8859-5", "Больница"),
        ("UNICODE UTF-8", "utf-8", "病院"),
        ("", "utf-8", "Größe"),
        ("BIG-5", "big5", "醫院"),
        ("ASCII~ISO IR87", "iso2022_jp", "病院"),
    ],
)
def test_the_acknowledgement_is_in_the_charset_of_the_message(declared: str, codec: str, application: str) -> None:
    heading = heading_of(er7.read(named("X", declared, application).encode(codec)))
    [ack] = acknowledge(heading, Verdict(Outcome.ACCEPTED), RECEIVED)
    msh = ack.decode(codec).split("\r")[0].split("|")
    assert msh[4] == application
    assert (msh[17:] or [""])[0] == declared

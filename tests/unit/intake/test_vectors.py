"""How the same thing may be written: whatever separators, line ends, escapes, versions and repetitions a sender has, the
message says the same; and what an empty, a null and an absent field mean.
"""

from itertools import product
from typing import Any

import pytest

from services.intake import er7, reading
from services.intake.acknowledgement import acknowledge
from services.intake.batch import split
from services.intake.lifecycle import fold
from services.intake.message import AdtMessage, Outcome, Reason, Verdict
from tests.unit.intake.messages import adt, specimen
from tests.unit.intake.statements import RECEIVED, read

VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9")


def understood(raw: bytes) -> AdtMessage:
    arrival = read(raw)
    assert arrival.adt, arrival.verdict
    return arrival.adt


def meaning(raw: bytes) -> tuple[Any, ...]:
    """What a message says, apart from the digest of its bytes."""
    found = understood(raw)
    said = found.fact.said if found.fact else None
    return found.trigger, found.identifiers, found.demographics, found.visit, said, found.occurred


# --- separators -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", ["|^~\\&", "$%*!@", "\t^~\\&", ";:!?#", "^|~\\&", "|&~\\^", "\x01\x02\x03\x04\x05"])
@pytest.mark.parametrize("name", ["a01-admission", "a03-discharge"])
def test_any_separators_say_the_same(name: str, own: str) -> None:
    raw = specimen(name).decode()
    rewritten = raw.translate(str.maketrans("|^~\\&", own)).encode()
    assert meaning(rewritten) == meaning(raw.encode())


# --- line ends ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n", "\r\n\r\n"])
@pytest.mark.parametrize("tail", ["", "\r", "\n", "\x1c"])
def test_any_line_ends_say_the_same(end: str, tail: str) -> None:
    raw = specimen("a01-admission").decode().rstrip("\r")
    assert meaning((raw.replace("\r", end) + tail).encode()) == meaning(raw.encode())


@pytest.mark.parametrize("head", ["", "\r\n", "\ufeff", " ", "\x0b", "\t\r"])
def test_what_stands_before_msh_is_passed_over(head: str) -> None:
    assert meaning(head.encode() + specimen("a01-admission")) == meaning(specimen("a01-admission"))


# --- escapes in a field of the message ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "family"),
    [
        ("O\\T\\Neil", "O&Neil"),
        ("a\\F\\b\\S\\c\\R\\d\\E\\e", "a|b^c~d\\e"),
        ("\\X4D\\\\XC3BC\\ller", "Müller"),
        ("\\X4d\\uller", "Muller"),
        ("\\X\\x", "\\X\\x"),
        ("line\\.br\\two", "line\ntwo"),
        ("\\H\\Testa\\N\\", "Testa"),
        ("C:\\temp", "C:\\temp"),
        ("\\Zhome\\", "\\Zhome\\"),
        ("\\\\", "\\\\"),
        ("O'Neil-Śmith", "O'Neil-Śmith"),
    ],
)
def test_escapes_are_resolved_after_splitting(sent: str, family: str) -> None:
    assert understood(adt("A01", family=sent)).demographics["name"]["family"] == family


# --- empty, null, absent ---------------------------------------------------------------------------------------------


ABSENT = object()


@pytest.mark.parametrize(
    ("field", "sent", "name", "said"),
    [
        (8, "F", "sex", "F"),
        (8, "", "sex", ABSENT),
        (8, '""', "sex", None),
        (8, '""^x', "sex", ABSENT),  # a null of the first component alone
        (8, "F~", "sex", "F"),
        (15, "en^English", "language", "en"),
        (15, '""', "language", None),
        (11, '""', "address", None),
        (11, '""^^Springfield', "address", "Springfield"),
        (11, "^^^^^~1 Elm St", "address", ABSENT),
        (13, '""', "phones", None),
        (13, "555~556", "phones", ["555", "556"]),
        (13, "555~~556", "phones", ["555", "556"]),
        (13, '""~556', "phones", ["556"]),
        (29, '""', "deceased_at", None),
        (29, "", "deceased_at", ABSENT),
    ],
)
def test_empty_is_no_change_and_null_deletes(field: int, sent: str, name: str, said: object) -> None:
    pid = ["PID", "1", "", "MRN001^^^GENHOSP^MR", "", "Testa", "", "", *[""] * 22]
    pid[field] = sent
    header = adt("A28").split(b"\r")[0]
    found = understood(header + b"\r" + "|".join(pid).encode() + b"\r").demographics
    assert found.get(name, ABSENT) == said


@pytest.mark.parametrize(
    ("said", "kept"),
    [("", "2026-03-02T15:00:00+00:00"), ('""', None), ("20260302153000", "2026-03-02T15:30:00+00:00")],
)
def test_the_discharge_time_is_kept_deleted_or_corrected(said: str, kept: str | None) -> None:
    facts = [
        understood(adt("A03", control_id="1", recorded="20260302150500", discharged="20260302150000")).fact,
        understood(adt("A08", control_id="2", recorded="20260302160000", discharged=said)).fact,
    ]
    state = fold([fact for fact in facts if fact])
    assert (state.said.get("discharged_at"), state.status) == (kept, "finished")


# --- versions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read_alike(version: str) -> None:
    assert meaning(adt("A01", version=version)) == meaning(adt("A01"))


@pytest.mark.parametrize("version", ["3.0", "2.", "2.x", "22.5", "v2.5", "2.5.1.1.1", "2.555"])
def test_what_is_no_version_two_is_refused(version: str) -> None:
    verdict = read(adt("A01", version=version)).verdict
    assert verdict
    assert (verdict.code, verdict.error, verdict.location) == ("AR", 203, "MSH^1^12")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_error_is_told_as_the_version_knows_it(version: str) -> None:
    refused = Verdict(Outcome.REJECTED, "AE", Reason.MISSING_PATIENT, 101, "PID^1^3", "no identifier")
    [ack] = acknowledge(reading.heading_of(er7.read(adt("A01", version=version))), refused, RECEIVED)
    msh, msa, err = (line.split("|") for line in ack.decode().rstrip("\r").split("\r"))
    assert msh[11] == version
    if version < "2.5":
        assert (msa, err) == (["MSA", "AE", "1", "no identifier"], ["ERR", "PID^1^3"])
    else:
        assert (msa, err[2:5]) == (["MSA", "AE", "1"], ["PID^1^3", "101^Required field missing^HL70357", "E"])


# --- acknowledgement modes: every pair of conditions -----------------------------------------------------------------

ASKS = {"AL": {True, False}, "NE": set(), "ER": {False}, "SU": {True}, "": set(), "??": set()}
OUTCOMES = {
    True: (Verdict(Outcome.ACCEPTED), "CA", "AA"),
    False: (Verdict(Outcome.REJECTED, "AR", Reason.UNSUPPORTED_VERSION, 203, "MSH^1^12", "not 2.x"), "CR", "AR"),
}


@pytest.mark.parametrize(("accept", "application", "good"), list(product(ASKS, ASKS, (True, False))))
def test_who_asks_is_answered_and_nobody_else(accept: str, application: str, *, good: bool) -> None:
    verdict, accepted, applied = OUTCOMES[good]
    heading = reading.heading_of(er7.read(adt("A01", modes=f"{accept}|{application}")))
    codes = [ack.split(b"\r")[1].split(b"|")[1].decode() for ack in acknowledge(heading, verdict, RECEIVED)]
    if not accept and not application:
        assert codes == [applied]
    else:
        assert codes == [accepted] * (good in ASKS[accept]) + [applied] * (good in ASKS[application])


# --- batches --------------------------------------------------------------------------------------------------------

ONE, TWO = adt("A01"), adt("A03", control_id="2")
FHS, BHS = b"FHS|^~\\&|A|B\r", b"BHS|^~\\&|A|B\r"


@pytest.mark.parametrize(
    ("raw", "messages", "doubts"),
    [
        (ONE, [ONE], ()),
        (ONE + TWO, [ONE, TWO], ()),
        (ONE.replace(b"\r", b"\r\n") + b"\r\n" + TWO, [ONE.replace(b"\r", b"\r\n").rstrip() + b"\r", TWO], ()),
        (FHS + BHS + ONE + TWO + b"BTS|2\rFTS|1\r", [ONE, TWO], ()),
        (BHS + ONE + b"BTS|2\r", [ONE], ("BTS-1",)),
        (FHS + BHS + ONE + b"BTS|1\r" + BHS + TWO + b"BTS|1\rFTS|2\r", [ONE, TWO], ()),
        (FHS + BHS + ONE + b"BTS\rFTS|3\r", [ONE], ("FTS-1",)),
        (FHS + BHS + b"BTS|0\rFTS|1\r", [], ()),
        (b"noise\r" + ONE, [ONE], ()),
        (b"NTE|1||MSH is a word\r", [], ()),
        (ONE + b"NTE|1||see MSH|x\r", [ONE + b"NTE|1||see MSH|x\r"], ()),
    ],
)
def test_batches_are_split(raw: bytes, messages: list[bytes], doubts: tuple[str, ...]) -> None:
    found = split(raw)
    assert ([*found.messages], found.doubts) == (messages, doubts)


# --- segments of one's own ------------------------------------------------------------------------------------------


def test_segments_of_ones_own_are_kept_in_place_and_change_nothing() -> None:
    own = b"ZPV|1|a^b~c|\\T\\\rZZ9|2\r"
    raw = adt("A01") + own
    message = er7.read(raw)
    assert meaning(raw) == meaning(adt("A01"))
    assert [segment.fields[0] for segment in message.segments()][-2:] == ["ZPV", "ZZ9"]
    [zpv] = message.all("ZPV")
    assert ([one[1] for one in zpv.repetitions(2)], zpv.text(3)) == (["a", "c"], "&")

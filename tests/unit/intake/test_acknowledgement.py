from datetime import UTC, datetime

import pytest

from services.intake import er7, reading
from services.intake.acknowledgement import acknowledge
from services.intake.message import Outcome, Reason, Verdict
from tests.unit.intake.messages import adt, specimen

NOW = datetime(2026, 3, 2, 15, 20, tzinfo=UTC)
GOOD = Verdict(Outcome.ACCEPTED)
HELD = Verdict(Outcome.HELD, reason=Reason.NO_VISIT)
MISSING = Verdict(Outcome.REJECTED, "AE", Reason.MISSING_PATIENT, 101, "PID^1^3", "no identifier")
VERSION = Verdict(Outcome.REJECTED, "AR", Reason.UNSUPPORTED_VERSION, 203, "MSH^1^12", "not 2.x")


def answers(raw: bytes, verdict: Verdict) -> list[list[list[str]]]:
    heading = reading.heading_of(er7.read(raw))
    acks = acknowledge(heading, verdict, NOW)
    return [[line.split("|") for line in ack.decode().rstrip("\r").split("\r")] for ack in acks]


def test_applications_are_swapped_and_the_version_kept() -> None:
    [[msh, msa]] = answers(adt("A01", control_id="X7", version="2.3"), GOOD)
    assert msh[2:6] == ["HUB", "HUB", "ADT1", "GENHOSP"]
    assert (msh[6], msh[8], msh[10], msh[11]) == ("20260302152000+0000", "ACK^A01^ACK", "P", "2.3")
    assert msh[9]
    assert msa == ["MSA", "AA", "X7"]


@pytest.mark.parametrize(
    ("modes", "verdict", "codes"),
    [
        ("|", GOOD, ["AA"]),
        ("|", HELD, ["AA"]),
        ("|", MISSING, ["AE"]),
        ("|", VERSION, ["AR"]),
        ("AL|NE", GOOD, ["CA"]),
        ("AL|NE", MISSING, ["CE"]),
        ("AL|NE", VERSION, ["CR"]),
        ("AL|AL", GOOD, ["CA", "AA"]),
        ("AL|", GOOD, ["CA"]),
        ("NE|AL", GOOD, ["AA"]),
        ("|AL", GOOD, ["AA"]),
        ("NE|NE", MISSING, []),
        ("ER|SU", GOOD, ["AA"]),
        ("ER|SU", MISSING, ["CE"]),
        ("SU|ER", GOOD, ["CA"]),
        ("SU|ER", MISSING, ["AE"]),
    ],
)
def test_modes(modes: str, verdict: Verdict, codes: list[str]) -> None:
    assert [ack[1][1] for ack in answers(adt("A01", modes=modes), verdict)] == codes


def test_two_acknowledgements_have_control_ids_of_their_own() -> None:
    accept, application = answers(adt("A01", control_id="X7", modes="AL|AL"), GOOD)
    assert accept[0][9] != application[0][9]
    assert accept[1][2] == application[1][2] == "X7"


def test_errors_by_version() -> None:
    [[_, msa, err]] = answers(adt("A01", version="2.5.1"), MISSING)
    assert msa == ["MSA", "AE", "1"]
    assert err == ["ERR", "", "PID^1^3", "101^Required field missing^HL70357", "E", "", "", "", "no identifier"]
    [[_, msa, err]] = answers(adt("A01", version="2.3"), MISSING)
    assert msa == ["MSA", "AE", "1", "no identifier"]
    assert err == ["ERR", "PID^1^3"]


def test_the_senders_separators_are_used() -> None:
    [[msh, msa]] = [
        [line.split("$") for line in ack.decode().rstrip("\r").split("\r")]
        for ack in acknowledge(reading.heading_of(er7.read(specimen("a04-ed-arrival-other-separators"))), GOOD, NOW)
    ]
    assert (msh[1], msh[8], msa) == ("%*!@", "ACK%A04%ACK", ["MSA", "AA", "L7001"])


@pytest.mark.parametrize("encoding", ["A29&", "^~0&", "+~\\&"])
def test_separators_that_would_cut_a_code_or_time_apart_are_not_used(encoding: str) -> None:
    raw = adt("A01", control_id="1^2").replace(rb"^~\&", encoding.encode(), 1)
    [[msh, msa]] = answers(raw, GOOD)
    assert msh[1] == r"^~\&"
    assert msa == ["MSA", "AA", r"1\S\2"]


def test_the_charset_is_kept() -> None:
    msh = ["MSH", "^~\\&", "Größe", "B", "", "", "", "", "ADT^A01", "1", "P", "2.5", "", "", "", "", "", "8859/1"]
    heading = reading.heading_of(er7.read("|".join(msh).encode("latin-1")))
    [ack] = acknowledge(heading, GOOD, NOW)
    assert "Größe".encode("latin-1") in ack
    assert ack.split(b"\r")[0].endswith(b"|8859/1")


def test_without_a_header_it_is_a_rejection_that_names_nothing() -> None:
    [ack] = acknowledge(None, Verdict(Outcome.REJECTED, "AR", Reason.NO_HEADER, 100), NOW)
    assert ack.split(b"\r")[1] == b"MSA|AR|"


def test_an_acknowledgement_is_never_acknowledged() -> None:
    raw = b"MSH|^~\\&|A|B|C|D|||ACK^A01|1|P|2.5\rMSA|AA|9\r"
    assert acknowledge(reading.heading_of(er7.read(raw)), GOOD, NOW) == []

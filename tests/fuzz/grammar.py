"""HL7 v2 as a grammar: messages that are nearly right, with everything that senders do to them on the way."""

from hypothesis import strategies as st

from services.intake.kinds import KINDS

TRIGGERS = sorted(
    {*(f"{kind}^{trigger}" for kind, trigger in KINDS), "ADT", "^A01", "ADT^Z01", "ORM^O01", "ACK^A01", ""}
)
SEGMENTS = ("EVN", "PID", "PD1", "PV1", "PV2", "DG1", "MRG", "ZBE", "NK1", "IAM", "AL1", "OBR", "OBX", "SCH", "AIS",
            "AIL", "AIP", "TXA", "RF1", "PRD", "ROL", "IN1", "ZZZ", "Z9Z", "pid", "1AB", "MS", "")  # fmt: skip
SEPARATORS = (
    ("|", "^~\\&"),
    ("|", "^~\\&#"),
    ("|", "^~&"),
    ("|", "^~\\\\&"),
    ("$", "%*!@"),
    ("|", "^"),
    ("\t", "^~\\&"),
)
ENDS = ("\r", "\n", "\r\n", "\r\r", "\n\r")
CHARSETS = ("utf-8", "latin-1", "iso2022_jp", "gb18030", "utf-16-le")
DECLARED = ("", "ASCII", "UNICODE UTF-8", "8859/1", "8859/5", "ISO IR87", "ASCII~ISO IR87", "GB 18030-2000", "UTF-16")
VERSIONS = ("2.1", "2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8", "2.9", "", "3.0", "2.x")

# What the readers look for, at and over its edges.
times = st.sampled_from(
    ("20260302091500", "20260302091500-0600", "20260302", "202603", "2026", "20260308023000", "20261101013000", "0000",
     "20261399", "99991231235959+1400", "00010101", '""', "", "yesterday", "20260302091500.123456789", "-0600")
)  # fmt: skip
words = st.sampled_from(
    ("I", "E", "A", "D", "01", "1", "30", "SNF", "MR", "VN", "AN", "L", "P", "Y", "N", "CANCEL", "UPDATE", "AL", '""',
     "MRN001", "V1001", "ACC900", "GENHOSP", "1234567893", "NM", "TX", "ST", "F", "C", "120", "1e999", "-0", "NaN")
)  # fmt: skip
escapes = st.sampled_from(
    ("\\F\\", "\\S\\", "\\T\\", "\\R\\", "\\E\\", "\\.br\\", "\\X0D0A\\", "\\X\\", "\\XZZ\\", "\\H\\", "\\", "\\\\",
     "\\M2442\\", "\\C2D4C\\", "\\C2842\\")
)  # fmt: skip
texts = st.text(max_size=8)
pieces = st.one_of(words, times, escapes, texts)


@st.composite
def fields(draw: st.DrawFn, encoding: str) -> str:
    """Components, subcomponents and repetitions, joined by the separators of the message, or by others."""
    joints = draw(st.lists(st.sampled_from(encoding or "^"), max_size=5))
    said = draw(st.lists(pieces, min_size=len(joints) + 1, max_size=len(joints) + 1))
    return "".join(part for pair in zip(said, [*joints, ""], strict=True) for part in pair)


@st.composite
def segments(draw: st.DrawFn, mark: str, encoding: str) -> str:
    name = draw(st.sampled_from(SEGMENTS))
    # Few fields are said, at numbers up to those of PV1-45 and beyond.
    said = draw(st.dictionaries(st.integers(1, 52), fields(encoding), max_size=9))
    return mark.join([name, *(said.get(number, "") for number in range(1, max(said, default=0) + 1))])


@st.composite
def headers(draw: st.DrawFn, mark: str, encoding: str) -> str:
    component = encoding[:1] or "^"
    modes = st.sampled_from(("", "AL", "NE", "ER", "SU", "al", "??"))
    return mark.join(
        [
            "MSH", encoding, draw(words), draw(words), draw(words), draw(words), draw(times), "",
            draw(st.sampled_from(TRIGGERS)).replace("^", component), draw(words), draw(st.sampled_from(("P", "T", ""))),
            draw(st.sampled_from(VERSIONS)), "", "", draw(modes), draw(modes), "", draw(st.sampled_from(DECLARED)),
        ]
    )  # fmt: skip


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A message in some charset, with some line ends, cut or not."""
    mark, encoding = draw(st.sampled_from(SEPARATORS))
    lines = [draw(headers(mark, encoding)), *draw(st.lists(segments(mark, encoding), max_size=6))]
    if draw(st.integers(0, 3)):  # most say who it is about, so that the rules are reached
        lines.append(mark.join(["PID", "1", "", f"MRN001{encoding[:1] * 3}GENHOSP{encoding[:1]}MR"]))
    if draw(st.integers(0, 3)):
        pv1 = [""] * 46
        pv1[:3], pv1[19], pv1[36], pv1[44], pv1[45] = ["PV1", "1", "I"], "V1", draw(words), draw(times), draw(times)
        lines.append(mark.join(pv1))
    raw = draw(st.sampled_from(ENDS)).join([*lines, ""]).encode(draw(st.sampled_from(CHARSETS)), "replace")
    return raw[: draw(st.integers(0, len(raw)))] if not draw(st.integers(0, 4)) else raw


@st.composite
def batches(draw: st.DrawFn) -> bytes:
    """FHS, BHS, messages and trailers, in and out of their order."""
    covers = st.sampled_from(
        (b"FHS|^~\\&|A\r", b"BHS|^~\\&|A\r", b"BTS|1\r", b"BTS|\r", b"FTS|1\r", b"FTS|x\r", b"\r\n")
    )
    return b"".join(draw(st.lists(st.one_of(messages(), covers), max_size=6)))

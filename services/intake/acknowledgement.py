"""Acknowledgements: what goes back to the sender, in the version and mode that it asks for. Pure.

Original mode: one of AA, AE, AR. Enhanced mode (MSH-15 or MSH-16 valued): the accept acknowledgement CA, CE or CR as
MSH-15 asks, then the application acknowledgement as MSH-16 asks.
"""

from dataclasses import replace
from datetime import UTC, datetime

from services.intake.charsets import codec_of
from services.intake.message import Heading, Verdict
from shared.events import uuid7

ACCEPT_CODES = {"AA": "CA", "AE": "CE", "AR": "CR"}
INTERNAL_ERROR = 207
_ERROR_TEXTS = {
    100: "Segment sequence error",
    101: "Required field missing",
    200: "Unsupported message type",
    202: "Unsupported processing id",
    203: "Unsupported version id",
    204: "Unknown key identifier",
    INTERNAL_ERROR: "Application internal error",
}
ESCAPES = {"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "\\": "\\E\\", "&": "\\T\\"}
_ERR_WITH_COMPONENTS = (2, 5)  # versions from 2.5 on have ERR-2 to ERR-8; older ones only ERR-1


def acknowledge(heading: Heading | None, verdict: Verdict, now: datetime) -> list[bytes]:
    """The acknowledgements to send, in order; none where the sender wants none or itself sent one."""
    if heading is None:
        return [_headless(verdict, now)]
    if heading.type == "ACK":  # an acknowledgement is never acknowledged
        return []
    if not heading.is_enhanced:
        return [_message(heading, verdict, verdict.code, now)]
    is_good = verdict.code == "AA"
    wanted = (
        (heading.accept_condition, ACCEPT_CODES[verdict.code]),
        (heading.application_condition, verdict.code),
    )
    return [_message(heading, verdict, code, now) for condition, code in wanted if _asks(condition, is_good=is_good)]


def _asks(condition: str, *, is_good: bool) -> bool:
    return condition in {"AL", "SU" if is_good else "ER"}


def _message(heading: Heading, verdict: Verdict, code: str, now: datetime) -> bytes:
    """Applications swapped, a control id of its own, the sender's separators, version and charset."""
    heading = _answerable(heading)
    f, encoding = heading.field_separator, heading.encoding_characters
    component = encoding[:1] or "^"
    kind = component.join(("ACK", heading.trigger, "ACK")) if heading.trigger else "ACK"
    msh = [
        f"MSH{f}{encoding}",
        *heading.receiver,
        *heading.sender,
        f"{now.astimezone(UTC):%Y%m%d%H%M%S}+0000",
        "",
        kind,
        uuid7().hex[:20],
        heading.processing_id or "P",
        heading.version or "2.5.1",
    ]
    if heading.charset:
        msh += ["", "", "", "", "", heading.charset]
    msa = ["MSA", code, heading.control_id]
    lines = [f.join(msh)]
    if verdict.code == "AA":
        lines.append(f.join(msa))
    elif _is_old(heading.version):
        lines += [f.join([*msa, verdict.text]), f"ERR{f}{verdict.location}"]
    else:
        lines += [f.join(msa), _error(f, component, verdict)]
    return ("\r".join(lines) + "\r").encode(_codec(heading), "replace")


def _answerable(heading: Heading) -> Heading:
    """Separators that stand in codes, times and versions would cut these apart: such a sender gets the usual ones."""
    separators = heading.field_separator + heading.encoding_characters
    if not any(one.isalnum() or one in "+." for one in separators):
        return heading
    return replace(
        heading,
        field_separator="|",
        encoding_characters="^~\\&",
        sender=(_escaped(heading.sender[0]), _escaped(heading.sender[1])),
        receiver=(_escaped(heading.receiver[0]), _escaped(heading.receiver[1])),
        control_id=_escaped(heading.control_id),
    )


def _escaped(text: str) -> str:
    return "".join(ESCAPES.get(one, one) for one in text)


def _error(f: str, component: str, verdict: Verdict) -> str:
    location = verdict.location.replace("^", component)
    code = component.join((str(verdict.error), _ERROR_TEXTS.get(verdict.error, "Application error"), "HL70357"))
    return f.join(("ERR", "", location, code, "E", "", "", "", verdict.text))


def _is_old(version: str) -> bool:
    parts = [int(part) for part in version.split(".") if part.isdecimal()]
    return bool(parts) and tuple(parts[:2]) < _ERR_WITH_COMPONENTS


def _codec(heading: Heading) -> str:
    codec = codec_of(heading.charset, heading.encoding_characters[1:2] or "~")
    # Where the sender declares none or ASCII, what it says of itself beyond that is answered as UTF-8.
    return codec if codec and codec != "ascii" else "utf-8"


def _headless(verdict: Verdict, now: datetime) -> bytes:
    """For bytes without a usable MSH: nobody to address, nothing to refer to."""
    stamp = f"{now.astimezone(UTC):%Y%m%d%H%M%S}+0000"
    lines = [
        f"MSH|^~\\&|HANDOFF||||{stamp}||ACK|{uuid7().hex[:20]}|P|2.5.1",
        f"MSA|{verdict.code}|",
        _error("|", "^", verdict),
    ]
    return ("\r".join(lines) + "\r").encode()

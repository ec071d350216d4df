"""Acknowledgements as a sender reads them. Pure."""

from dataclasses import dataclass

POSITIVE = frozenset({"AA", "CA"})
CONTENT_ERRORS = frozenset({"AE", "CE"})
REJECTIONS = frozenset({"AR", "CR"})
_CONTROL_ID = 9  # MSH-10, counting the fields behind MSH-1, which is the separator itself


class NoAckError(Exception):
    """The connection ended, or nothing came back that acknowledges this message: the outcome is unknown."""


class RefusedError(Exception):
    """The receiver has spoken against the message; the same bytes again would not help. `ack` says why."""

    def __init__(self, ack: "Ack") -> None:
        super().__init__(ack.code)
        self.ack = ack


@dataclass(frozen=True, slots=True)
class Ack:
    """MSA-1, MSA-2 and what the receiver says about an error."""

    code: str
    control_id: str
    text: str

    @property
    def positive(self) -> bool:
        return self.code in POSITIVE


def read_ack(payload: bytes) -> Ack:
    """Raises NoAckError when there is no MSA in it."""
    segments = [line for line in payload.decode(errors="replace").replace("\n", "\r").split("\r") if line]
    separator = segments[0][3:4] if segments and segments[0].startswith("MSH") else "|"
    errors = [line.split(separator)[1:] for line in segments if line.startswith(f"ERR{separator}")]
    for line in segments:
        if line.startswith(f"MSA{separator}"):
            fields = [*line.split(separator), "", "", ""]
            text = fields[3] or " ".join(field for field in (errors[0] if errors else ()) if field)
            return Ack(fields[1].strip(), fields[2].strip(), text)
    raise NoAckError("the answer has no MSA")


def control_id_of(payload: bytes) -> str:
    """MSH-10, which the acknowledgement must name; empty when the message has none."""
    header = payload.replace(b"\n", b"\r").split(b"\r", 1)[0]
    if not header.startswith(b"MSH") or len(header) < 4:  # noqa: PLR2004  (MSH and its separator)
        return ""
    fields = header.split(header[3:4])
    return fields[_CONTROL_ID].decode(errors="replace").strip() if len(fields) > _CONTROL_ID else ""

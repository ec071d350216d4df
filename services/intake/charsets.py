"""Charsets of HL7 v2 (table 0211): what MSH-18 declares, how bytes become text, and switches inside a text. Pure.

UTF-16 and UTF-32 are no charsets of HL7 v2: they hold the separators' bytes inside other characters.
"""

from collections.abc import Mapping
from typing import NamedTuple

from services.intake.remembering import remembered

FALLBACK_CHARSET = "cp1252"
DOUBT = "MSH-18"
_ASCII = "ascii"
_ISO_2022 = "iso2022_jp_ext"
_ESCAPE = b"\x1b"
_CHARSET_FIELD = 17  # of MSH, when it is split: MSH-1 is the separator itself
_PARTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 15)

_CODECS: Mapping[str, str] = {
    **dict.fromkeys(("ASCII", "ISO IR6", "ISO_IR6"), _ASCII),
    **dict.fromkeys(("UNICODE UTF-8", "UNICODE", "UTF-8", "UTF8"), "utf-8"),
    **{f"8859/{part}": f"iso-8859-{part}" for part in _PARTS},
    # Not of the table, but written by senders.
    **{f"{name}{part}": f"iso-8859-{part}" for part in _PARTS for name in ("8859-", "ISO-8859-", "ISO8859-")},
    **{f"{name}{page}": f"cp{page}" for page in range(1250, 1259) for name in ("WINDOWS-", "CP")},
    **dict.fromkeys(("ISO IR14", "ISO IR87", "ISO IR159"), _ISO_2022),
    "GB 18030-2000": "gb18030",
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
}


class _Switch(NamedTuple):
    """What follows is read with a codec, as if these bytes stood before it."""

    codec: str
    before: bytes = b""


# "Escape sequences supporting multiple character sets" (HL7 v2.5, 2.7.2): the code between two escape characters.
_SWITCHES: Mapping[str, _Switch | None] = {
    "C2842": None,  # back to ASCII, that is, to the message's own charset
    "C2D41": _Switch("iso-8859-1"),
    "C2D42": _Switch("iso-8859-2"),
    "C2D43": _Switch("iso-8859-3"),
    "C2D44": _Switch("iso-8859-4"),
    "C2D4C": _Switch("iso-8859-5"),
    "C2D47": _Switch("iso-8859-6"),
    "C2D46": _Switch("iso-8859-7"),
    "C2D48": _Switch("iso-8859-8"),
    "C2D4D": _Switch("iso-8859-9"),
    "C284A": _Switch(_ISO_2022, b"\x1b(J"),  # JIS X 0201 Roman
    "C2949": _Switch("shift_jis"),  # JIS X 0201 Katakana, whose bytes Shift JIS kept
    "M2442": _Switch(_ISO_2022, b"\x1b$B"),  # JIS X 0208
    "M242844": _Switch(_ISO_2022, b"\x1b$(D"),  # JIS X 0212
}


def decode(raw: bytes, doubts: list[str], fallback: str = FALLBACK_CHARSET, always: str | None = None) -> str:
    """The text of a message. Never fails; a charset that is not what was said leaves a doubt.

    `always` is what a feed is known to send whatever MSH-18 declares; `fallback` is for undeclared bytes that are not
    UTF-8.
    """
    if raw.isascii() and _ESCAPE not in raw:
        return raw.decode(_ASCII)
    if always:
        try:
            return raw.decode(always)
        except UnicodeError:
            doubts.append(DOUBT)
    declared = codec_of(_declared(raw))
    for candidate in (declared, "utf-8"):
        if candidate and candidate != _ASCII:
            try:
                text = raw.decode(candidate)
            except UnicodeError:
                doubts.append(DOUBT)
                continue
            if candidate.startswith("iso-8859") and _is_utf8(raw):
                doubts.append(DOUBT)  # any bytes are ISO 8859; these are UTF-8, most likely
            return text
    doubts.append(DOUBT)
    return raw.decode(fallback, "replace")


@remembered(256)
def codec_of(declared: str, repetition: str = "~") -> str | None:
    """Python's name for what MSH-18 declares: its first repetition, or ISO 2022 where one of the further ones is
    Japanese, since that one's bytes say themselves when they begin and end. None where it is empty or unknown.
    """
    codecs = [_CODECS.get(one.strip().upper()) for one in declared.split(repetition)]
    if _ISO_2022 in codecs and codecs[0] in {None, _ASCII, _ISO_2022}:
        return _ISO_2022
    return codecs[0]


def is_switch(code: str) -> bool:
    r"""Whether an escape sequence (`C2D41` of `\C2D41\`) changes the charset."""
    return code.upper() in _SWITCHES


def switched(code: str, text: str) -> str:
    """The text behind such a sequence, in the charset it switches to; as it was where it can't be read in that."""
    switch = _SWITCHES[code.upper()]
    if switch is None:
        return text
    try:
        return (switch.before + text.encode("latin-1")).decode(switch.codec)
    except UnicodeError:
        return text


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeError:
        return False
    return not raw.isascii()


def _declared(raw: bytes) -> str:
    """MSH-18, found before the bytes are decoded. In the charsets of East Asia the second byte of a character may be
    that of a separator, so that a name in MSH seems to be several fields: a known charset behind them is it, then.
    """
    header = raw.lstrip().split(b"\r", 1)[0].split(b"\n", 1)[0].decode("latin-1").removeprefix("\xef\xbb\xbf")
    if len(header) < len("MSH|^~\\&"):
        return ""
    # MSH-2's second character separates repetitions.
    fields = [one.replace(header[5], "~") for one in header.split(header[3])[_CHARSET_FIELD:]]
    return next((one for one in fields if codec_of(one)), fields[0] if fields else "")

"""HL7 over TCP: the framing that both ends share, and the sending end."""

from shared.mllp.acks import Ack, NoAckError, RefusedError, control_id_of, read_ack
from shared.mllp.client import RETRY_SECONDS, MllpClient, MllpTarget
from shared.mllp.framing import EXCERPT_BYTES, Decoded, Decoder, Frame, TooLarge, Truncated, framed

__all__ = [
    "EXCERPT_BYTES",
    "RETRY_SECONDS",
    "Ack",
    "Decoded",
    "Decoder",
    "Frame",
    "MllpClient",
    "MllpTarget",
    "NoAckError",
    "RefusedError",
    "TooLarge",
    "Truncated",
    "control_id_of",
    "framed",
    "read_ack",
]

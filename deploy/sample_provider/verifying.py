"""The receiver's side of Standard Webhooks: was this sent by whom we share the secret with, and just now?"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping

TOLERANCE_SECONDS = 300


def genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """`secret` as it was handed out: `whsec_…`. Any of the signatures may fit (there are two after a rotation)."""
    webhook_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(signed).decode()
    return any(hmac.compare_digest(wanted, one) for one in headers.get("webhook-signature", "").split())

"""Signatures as the reference implementation reads them; secrets that open only where they belong."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from deploy.sample_provider.verifying import genuine
from services.notifications.signing import SecretBox, UnreadableSecretError, headers_for, new_secret, shown
from shared.events import uuid7

KEY = bytes(range(32))


@given(
    st.binary(max_size=300).map(lambda raw: b'{"said": "' + raw.hex().encode() + b'"}'),
    st.binary(min_size=24, max_size=64),
)
def test_the_reference_accepts_what_we_sign(body: bytes, secret: bytes) -> None:
    headers = headers_for([secret], str(uuid7()), datetime.now(UTC), body)
    Webhook(shown(secret)).verify(body, headers)
    assert genuine(shown(secret), headers, body)


def test_after_a_rotation_both_secrets_verify() -> None:
    old, new, body = new_secret(), new_secret(), b"{}"
    headers = headers_for([new, old], str(uuid7()), datetime.now(UTC), body)
    for secret in (old, new):
        Webhook(shown(secret)).verify(body, headers)
        assert genuine(shown(secret), headers, body)


def test_a_changed_body_id_or_time_does_not_verify() -> None:
    secret, body = new_secret(), b'{"a":1}'
    headers = headers_for([secret], "one", datetime.now(UTC), body)
    wrong = [(headers, b'{"a":2}'), ({**headers, "webhook-id": "two"}, body)]
    wrong.append(({**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)}, body))
    wrong.append((headers_for([secret], "one", datetime(2020, 1, 1, tzinfo=UTC), body), body))
    for said, got in wrong:
        assert not genuine(shown(secret), said, got)
        with pytest.raises(WebhookVerificationError):
            Webhook(shown(secret)).verify(got, said)


def test_a_secret_opens_with_its_key_in_its_own_row_only() -> None:
    box, row, secret = SecretBox(KEY), uuid7(), new_secret()
    sealed = box.seal(row, secret)
    assert secret not in sealed
    assert box.open(row, sealed) == secret
    for other, where in ((SecretBox(bytes(32)), row), (box, uuid7())):
        with pytest.raises(UnreadableSecretError):
            other.open(where, sealed)

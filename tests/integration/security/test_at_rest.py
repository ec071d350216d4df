"""What is encrypted opens with its own key in its own row, and nowhere else."""

from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidTag

from services.intake.sealing import Seal
from services.notifications.signing import SecretBox, UnreadableSecretError

KEY, OTHER_KEY = bytes(32), bytes([1]) * 32


def test_a_raw_message_opens_in_its_own_row_only() -> None:
    mine, other = uuid4(), uuid4()
    sealed = Seal(KEY).close(b"MSH|...", mine)
    assert b"MSH" not in sealed
    assert Seal(KEY).open(sealed, mine) == b"MSH|..."
    with pytest.raises(InvalidTag):
        Seal(KEY).open(sealed, other)
    with pytest.raises(InvalidTag):
        Seal(OTHER_KEY).open(sealed, mine)
    with pytest.raises(InvalidTag):
        Seal(KEY).open(sealed[:-1] + bytes([sealed[-1] ^ 1]), mine)


def test_a_webhook_secret_opens_in_its_own_row_only() -> None:
    mine, other = uuid4(), uuid4()
    sealed = SecretBox(KEY).seal(mine, b"secret of a provider")
    assert b"secret" not in sealed
    assert SecretBox(KEY).open(mine, sealed) == b"secret of a provider"
    with pytest.raises(UnreadableSecretError):
        SecretBox(KEY).open(other, sealed)
    with pytest.raises(UnreadableSecretError):
        SecretBox(OTHER_KEY).open(mine, sealed)


def test_the_same_content_is_never_sealed_alike() -> None:
    row = uuid4()
    assert Seal(KEY).close(b"same", row) != Seal(KEY).close(b"same", row)

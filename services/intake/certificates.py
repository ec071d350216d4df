"""Client certificates as a feed names them, and as a connection shows them."""

from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class ClientCertificate(BaseModel):
    """One that may send: by fingerprint (exactly this certificate) or by subject (any that the CA issues to it)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fingerprint: str | None = Field(
        default=None, description="SHA-256 of the DER form, in hex; colons may stand in it."
    )
    subject: str | None = Field(
        default=None, description="The subject as RFC 4514 writes it: CN=adt,O=General Hospital."
    )

    @field_validator("fingerprint")
    @classmethod
    def _is_a_fingerprint(cls, said: str | None) -> str | None:
        if said is None:
            return None
        plain = said.replace(":", "").lower()
        if len(plain) != 2 * hashes.SHA256.digest_size or not all(c in "0123456789abcdef" for c in plain):
            raise ValueError("must be a SHA-256 in hex: 64 digits")
        return plain

    @field_validator("subject")
    @classmethod
    def _is_a_name(cls, said: str | None) -> str | None:
        if said is None:
            return None
        try:
            return x509.Name.from_rfc4514_string(said).rfc4514_string()
        except ValueError:
            raise ValueError("must be a name as RFC 4514 writes it, such as CN=adt,O=General Hospital") from None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.fingerprint is None) == (self.subject is None):
            raise ValueError("give either fingerprint or subject")
        return self


@dataclass(frozen=True, slots=True)
class Shown:
    """What the sender's end of a TLS connection showed; the handshake has proved that it holds the key."""

    fingerprint: str
    subject: str

    @classmethod
    def from_der(cls, der: bytes) -> Self:
        certificate = x509.load_der_x509_certificate(der)
        return cls(certificate.fingerprint(hashes.SHA256()).hex(), certificate.subject.rfc4514_string())

    def is_one_of(self, certificates: tuple[ClientCertificate, ...]) -> bool:
        return any(self.fingerprint == one.fingerprint or self.subject == one.subject for one in certificates)

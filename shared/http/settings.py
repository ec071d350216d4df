"""Where a service listens for HTTP, and whose tokens it accepts."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import SettingsConfigDict

from shared.loopback import is_loopback


def environment(prefix: str) -> SettingsConfigDict:
    """How every service reads its settings: `PREFIX_FIELD`, nested `PREFIX_PART__FIELD`, merged over the defaults."""
    return SettingsConfigDict(
        env_prefix=prefix,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
    )


class HttpSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    issuer: str = Field(default="http://127.0.0.1:8090", description="`iss` of the tokens accepted")
    audience: str = Field(default="handoff", description="`aud` of the tokens accepted")
    jwks_url: str | None = Field(
        default=None, description="Where the issuer's keys are read; default: issuer + /.well-known/jwks.json"
    )
    issuer_plaintext: bool = Field(
        default=False, description="Allow reading the issuer's keys without TLS from another host than loopback"
    )
    caller_rate: float = Field(
        default=300.0, ge=0, description="Requests a second that one caller (token subject) may make; 0: no limit"
    )
    caller_burst: int = Field(default=2000, ge=1, description="Requests that one caller may make at once")
    max_body_bytes: int = Field(default=1 << 20, ge=1024, description="Largest request body accepted, in bytes")
    drain_seconds: int = Field(default=5, ge=0, le=60, description="Time open requests get to finish on shutdown")
    tls_certificate: Path | None = Field(default=None, description="PEM file of the certificate chain; needs tls_key")
    tls_key: Path | None = Field(default=None, description="PEM file of the private key; needs tls_certificate")
    plaintext_outside_loopback: bool = Field(
        default=False, description="Allow HTTP without TLS on other addresses than loopback (behind a TLS proxy)"
    )

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are given together or not at all")
        return self

    @model_validator(mode="after")
    def _plaintext_on_purpose(self) -> Self:
        if self.tls_certificate is None and not self.plaintext_outside_loopback and not is_loopback(self.host):
            raise ValueError(
                "host is not loopback: give tls_certificate and tls_key, or set plaintext_outside_loopback=true"
            )
        return self

    @model_validator(mode="after")
    def _keys_by_tls(self) -> Self:
        """Whoever stands between could hand out keys of their own, and be anyone."""
        where = urlsplit(self.keys_url)
        if where.scheme != "https" and not self.issuer_plaintext and not is_loopback(where.hostname or ""):
            raise ValueError(
                "issuer (or jwks_url) is neither https nor on loopback: use https, or issuer_plaintext=true"
            )
        return self

    @property
    def keys_url(self) -> str:
        return self.jwks_url or f"{self.issuer.rstrip('/')}/.well-known/jwks.json"

"""Bearer tokens: JWTs of the configured issuer, checked against its published keys."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import jwt
import orjson
from jwt import PyJWK

from shared.http.problems import Problem
from shared.http.roles import Caller, Role
from shared.http.settings import HttpSettings
from shared.metrics import TOKENS_REFUSED
from shared.telemetry import log

ALGORITHMS = {"RS256": "RSA", "ES256": "EC"}
LEEWAY_SECONDS = 30
FRESH_SECONDS = 600.0
RETRY_SECONDS = 10.0
FETCH_TIMEOUT = aiohttp.ClientTimeout(total=3)
MAX_KEYS_BYTES = 1 << 18
LONGEST_TOKEN = 8192
REASONS: Mapping[type[jwt.PyJWTError], str] = {
    jwt.ExpiredSignatureError: "expired",
    jwt.InvalidAudienceError: "audience",
    jwt.InvalidIssuerError: "issuer",
    jwt.InvalidAlgorithmError: "algorithm",
    jwt.InvalidSignatureError: "signature",
    jwt.MissingRequiredClaimError: "claims",
}


class KeySet:
    """The issuer's public keys, kept over times when it is down; asked for again at most every RETRY_SECONDS."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._keys: dict[str, PyJWK] = {}
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._reading = asyncio.Lock()

    async def find(self, kid: str) -> PyJWK | None:
        """The key, or None when the issuer does not publish it. Raises Problem 503 while no key was ever read."""
        if kid not in self._keys or time.monotonic() - self._read_at > FRESH_SECONDS:
            await self._refresh(kid)
        if not self._keys:
            raise Problem(503, "The issuer of tokens is away", slug="issuer-unavailable", headers={"Retry-After": "5"})
        return self._keys.get(kid)

    async def _refresh(self, kid: str) -> None:
        async with self._reading:
            now = time.monotonic()
            read_while_waiting = kid in self._keys and now - self._read_at <= FRESH_SECONDS
            if read_while_waiting or now - self._tried_at < (RETRY_SECONDS if self._keys else 1.0):
                return
            self._tried_at = now
            try:
                self._keys = usable_keys(await self._fetch())
                self._read_at = now
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                log.warning("issuer's keys not read", exc_info=error)

    async def _fetch(self) -> Any:
        async with (
            aiohttp.ClientSession(timeout=FETCH_TIMEOUT) as session,
            session.get(self._url, allow_redirects=False, raise_for_status=True) as response,
        ):
            content = bytearray()
            async for part in response.content.iter_any():
                content += part
                if len(content) > MAX_KEYS_BYTES:
                    raise ValueError("the issuer's answer is too large for a key set")
        return orjson.loads(content)


def usable_keys(published: Any) -> dict[str, PyJWK]:
    """The signing keys of a JWKS document that this house accepts: RSA and EC, with a key id."""
    listed = published.get("keys") if isinstance(published, Mapping) else None
    if not isinstance(listed, list):
        raise ValueError("the issuer's answer is no key set")  # noqa: TRY004  (a wrong document, not a wrong call)
    keys = {}
    for entry in listed:
        if isinstance(entry, Mapping) and _signs(entry):
            try:
                keys[str(entry["kid"])] = PyJWK.from_dict(dict(entry))
            except (jwt.PyJWTError, KeyError, ValueError, TypeError):
                log.warning("issuer's key not usable", kind=str(entry.get("kty")))
    return keys


def _signs(entry: Mapping[str, Any]) -> bool:
    """Whether the key is published for signatures, and of a kind that an accepted algorithm uses (ES256: P-256)."""
    kind = entry.get("kty")
    return (
        kind in ALGORITHMS.values()
        and entry.get("use", "sig") == "sig"
        and (kind != "EC" or entry.get("crv") == "P-256")
    )


class TokenVerifier:
    """Turns a bearer token into a caller, or into a Problem 401 that says no more than the kind of fault."""

    def __init__(self, settings: HttpSettings) -> None:
        self._issuer = settings.issuer
        self._audience = settings.audience
        self._keys = KeySet(settings.keys_url)

    async def verify(self, token: str) -> Caller:
        key = await self._keys.find(key_id_of(token))
        return check_token(token, key, issuer=self._issuer, audience=self._audience)


def key_id_of(token: str) -> str:
    """The id of the key that the token claims to be signed with; nothing of it is believed yet."""
    if len(token) > LONGEST_TOKEN:
        raise refused("too-long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise refused("malformed") from None
    if header.get("alg") not in ALGORITHMS:
        raise refused("algorithm")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise refused("unknown-key")
    return kid


def check_token(token: str, key: PyJWK | None, *, issuer: str, audience: str) -> Caller:
    """The caller, when the token stands every check. The key decides the algorithm, never the token's header alone."""
    if key is None:
        raise refused("unknown-key")
    allowed = [name for name, kind in ALGORITHMS.items() if kind == key.key_type]
    try:
        claims = jwt.decode(
            token,
            key.key,
            algorithms=allowed,
            audience=audience,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
    except jwt.PyJWTError as error:
        raise refused(REASONS.get(type(error), "invalid")) from None
    return caller_from(claims)


def caller_from(claims: Mapping[str, Any]) -> Caller:
    """The caller as the claims describe it; roles this house does not know count for nothing."""
    roles, facilities = claims.get("roles", []), claims.get("facilities", [])
    organisation, care_roles = claims.get("organisation"), claims.get("care_roles", [])
    if not all(map(_strings, (roles, facilities, care_roles))) or not isinstance(organisation, str | None):
        raise refused("claims")
    known = frozenset(Role(role) for role in roles if role in set(Role))
    if Role.PROVIDER in known and not organisation:
        raise refused("claims")
    return Caller(
        subject=str(claims["sub"]),
        roles=known,
        organisation=organisation,
        facilities=frozenset(facilities),
        care_roles=frozenset(care_roles),
    )


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def refused(reason: str) -> Problem:
    TOKENS_REFUSED.labels(reason).inc()
    log.warning("token refused", reason=reason)
    challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return Problem(401, "The token is not valid", slug="invalid-token", headers=challenge, reason=reason)

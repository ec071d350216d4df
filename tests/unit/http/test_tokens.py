"""Which tokens open the door: one that is right in everything, and a table of those that are wrong in one thing."""

import base64
import time
from collections.abc import Callable
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from shared.http import Caller, Problem, Role
from shared.http.tokens import check_token, key_id_of, usable_keys

ISSUER, AUDIENCE = "https://issuer.example", "handoff"
EC_KEY = ec.generate_private_key(ec.SECP256R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FOREIGN_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLISHED = {
    "keys": [
        ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True) | {"kid": "ec", "use": "sig"},
        RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True) | {"kid": "rsa", "use": "sig"},
    ]
}
KEYS = usable_keys(PUBLISHED)


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "someone", "roles": ["ops"], "iat": now, "exp": now + 300}
    return {name: value for name, value in (said | changed).items() if value is not None}


def signed(key: Any = EC_KEY, algorithm: str = "ES256", kid: str | None = "ec", **changed: Any) -> str:
    return jwt.encode(claims(**changed), key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def opened(token: str) -> Caller:
    return check_token(token, KEYS.get(key_id_of(token)), issuer=ISSUER, audience=AUDIENCE)


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(part)).rstrip(b"=").decode()


def forged_with_public_key() -> str:
    """HS256, keyed with the published key: passes where the header's algorithm is believed."""
    import hashlib
    import hmac

    secret = RSA_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    said = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': 'rsa'})}.{encoded(claims())}"
    seal = base64.urlsafe_b64encode(hmac.digest(secret, said.encode(), hashlib.sha256)).rstrip(b"=").decode()
    return f"{said}.{seal}"


def altered() -> str:
    header, _, signature = signed().split(".")
    return f"{header}.{encoded(claims(roles=['admin']))}.{signature}"


WRONG: dict[str, tuple[Callable[[], str], str]] = {
    "expired a minute ago": (lambda: signed(exp=int(time.time()) - 60), "expired"),
    "no expiry": (lambda: signed(exp=None), "claims"),
    "not valid yet": (lambda: signed(nbf=int(time.time()) + 120), "invalid"),
    "for another audience": (lambda: signed(aud="elsewhere"), "audience"),
    "for no audience": (lambda: signed(aud=None), "claims"),
    "foreign issuer, own key": (lambda: signed(iss="https://evil.example"), "issuer"),
    "foreign issuer's key under our key id": (lambda: signed(FOREIGN_KEY), "signature"),
    "unknown key id": (lambda: signed(kid="other"), "unknown-key"),
    "no key id": (lambda: signed(kid=None), "unknown-key"),
    "no subject": (lambda: signed(sub=None), "claims"),
    "algorithm none": (lambda: f"{encoded({'alg': 'none', 'kid': 'ec'})}.{encoded(claims())}.", "algorithm"),
    "HS256 with the public key": (forged_with_public_key, "algorithm"),
    "RS256 under the EC key's id": (lambda: signed(RSA_KEY, "RS256", "ec"), "algorithm"),
    "RS512, not on the list": (lambda: signed(RSA_KEY, "RS512", "rsa"), "algorithm"),
    "claims altered after signing": (altered, "signature"),
    "roles as text": (lambda: signed(roles="admin"), "claims"),
    "facilities as numbers": (lambda: signed(facilities=[1]), "claims"),
    "care roles as text": (lambda: signed(care_roles="ward"), "claims"),
    "care roles as numbers": (lambda: signed(care_roles=[1]), "claims"),
    "a provider bound to no organisation": (lambda: signed(roles=["provider-system"]), "claims"),
    "not a token": (lambda: "abc", "malformed"),
    "empty": (lambda: "", "malformed"),
    "of 100 kB": (lambda: signed(note="x" * 100_000), "too-long"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_token_wrong_in_one_thing_is_refused(name: str) -> None:
    make, reason = WRONG[name]
    with pytest.raises(Problem) as refused:
        opened(make())
    assert refused.value.status == 401
    assert refused.value.extra == {"reason": reason}


@pytest.mark.parametrize(("key", "algorithm", "kid"), [(EC_KEY, "ES256", "ec"), (RSA_KEY, "RS256", "rsa")])
def test_a_right_token_names_its_caller(key: Any, algorithm: str, kid: str) -> None:
    token = signed(key, algorithm, kid, roles=["care-manager", "unheard-of"], facilities=["MERCY"], organisation="org")
    caller = opened(token)
    assert caller == Caller(
        subject="someone",
        roles=frozenset({Role.CARE_MANAGER}),
        organisation="org",
        facilities=frozenset({"MERCY"}),
    )


@pytest.mark.parametrize("said", [None, [], ["pharmacist"], ["ward", "pcp", "ward"]])
def test_care_roles_are_those_the_token_names(said: list[str] | None) -> None:
    caller = opened(signed(care_roles=said))
    assert caller.care_roles == frozenset(said or [])
    assert not caller.is_bound


def test_clocks_may_differ_by_half_a_minute() -> None:
    assert opened(signed(exp=int(time.time()) - 20)).subject == "someone"


def test_a_key_set_keeps_only_signing_keys_it_can_use() -> None:
    listed = [
        *PUBLISHED["keys"],
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
        ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True) | {"kid": "encryption", "use": "enc"},
        ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True) | {"kid": "p-384"},
        {"kty": "EC", "kid": "broken", "crv": "P-256"},
        {"kty": "RSA", "kid": "no numbers", "n": "?", "e": 3},
    ]
    assert set(usable_keys({"keys": listed})) == {"ec", "rsa"}


@pytest.mark.parametrize("published", [None, [], {}, {"keys": "none"}, "text"])
def test_what_is_no_key_set_is_not_taken_for_an_empty_one(published: Any) -> None:
    with pytest.raises(ValueError, match="no key set"):
        usable_keys(published)

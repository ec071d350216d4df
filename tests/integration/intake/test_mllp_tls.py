"""Mutual TLS with certificates made here: who may send on which feed."""

import asyncio
import json
import os
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.intake.feeds import Feeds
from shared.http import Role
from shared.mllp import MllpClient, MllpTarget, NoAckError
from tests.integration.http.running import issuing, service
from tests.integration.intake.conftest import Intake, StartIntake, until
from tests.integration.intake.routers import message_routers
from tests.unit.intake.messages import adt


@dataclass(frozen=True)
class Issued:
    certificate: Path
    key: Path
    fingerprint: str


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test's own, with a folder for what it issues."""

    folder: Path
    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: Path

    @classmethod
    def found(cls, folder: Path, called: str) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, called)])
        file = folder / f"{called}.pem"
        ca = x509.BasicConstraints(ca=True, path_length=0)
        file.write_bytes(_signed(name, key, name, key, ca).public_bytes(serialization.Encoding.PEM))
        return cls(folder, name, key, file)

    def issue(self, subject: str) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        made = _signed(x509.Name.from_rfc4514_string(subject), key, self.name, self.key, None)
        stem = self.folder / made.fingerprint(hashes.SHA256()).hex()[:12]
        certificate, private = stem.with_suffix(".pem"), stem.with_suffix(".key")
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Issued(certificate, private, made.fingerprint(hashes.SHA256()).hex())


def _signed(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    constraints: x509.BasicConstraints | None,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if constraints:
        builder = builder.add_extension(constraints, critical=True).add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )  # fmt: skip
    return builder.sign(issuer_key, hashes.SHA256())


@dataclass(frozen=True)
class Hospitals:
    intake: Intake
    client: Callable[[Issued | None], MllpClient]
    general: Issued
    lakeside: Issued
    stranger: Issued
    authority: Path


@pytest.fixture
async def hospitals(start_intake: StartIntake, tmp_path: Path) -> Hospitals:
    """GENHOSP is bound by subject, LAKESIDE by fingerprint; STBRIGID is bound to nothing."""
    ca = Authority.found(tmp_path, "test-ca")
    server, general, lakeside = (
        ca.issue(name) for name in ("CN=intake", "CN=adt,O=General Hospital", "CN=adt,O=Lakeside")
    )
    intake = await start_intake(tls_certificate=server.certificate, tls_key=server.key, tls_client_ca=ca.certificate)
    bound = {
        "general-hospital": [{"subject": "CN=adt,O=General Hospital"}],
        "lakeside": [{"fingerprint": lakeside.fingerprint}],
    }
    said = intake.feeds.model_dump()
    for feed in said["feeds"]:
        feed["certificates"] = bound.get(feed["name"], [])
    intake.listener.feeds = Feeds.model_validate(said)

    def client(shown: Issued | None) -> MllpClient:
        context = MllpTarget.mutual_tls(ca.certificate, *((shown.certificate, shown.key) if shown else ()))
        return MllpClient(MllpTarget("127.0.0.1", intake.listener.port, context, answer_s=5.0))

    stranger = Authority.found(tmp_path, "other-ca").issue("CN=adt,O=General Hospital")
    return Hospitals(intake, client, general, lakeside, stranger, ca.certificate)


@pytest.mark.parametrize(
    ("shown", "facility", "outcome"),
    [
        ("general", "GENHOSP", ("AA", "general-hospital", "accepted", None)),
        ("lakeside", "LAKESIDE", ("AA", "lakeside", "accepted", None)),
        ("lakeside", "GENHOSP", ("AR", "unknown", "rejected", "sender-not-certified")),
        ("general", "STBRIGID", ("AR", "unknown", "rejected", "sender-not-certified")),
        ("general", "NOBODY", ("AR", "unknown", "rejected", "sender-not-certified")),
    ],
)
async def test_a_certificate_sends_on_its_feeds_alone(
    hospitals: Hospitals, shown: str, facility: str, outcome: tuple[str, str, str, str | None]
) -> None:
    async with hospitals.client(getattr(hospitals, shown)) as client:
        ack = await client.send(adt("A01", facility=facility))
    [row] = await hospitals.intake.rows("SELECT feed, outcome, reason FROM message")
    assert (ack.code, row["feed"], row["outcome"], row["reason"]) == outcome


async def test_without_a_certificate_of_the_ca_nobody_gets_in(hospitals: Hospitals) -> None:
    for shown in (None, hospitals.stranger):
        async with hospitals.client(shown) as client:
            with pytest.raises((NoAckError, ssl.SSLError)):
                await client.send(adt("A01"))
    assert await hospitals.intake.log() == []


async def test_a_feed_that_is_bound_takes_nothing_in_the_clear(start_intake: StartIntake) -> None:
    intake = await start_intake()
    said = intake.feeds.model_dump()
    said["feeds"][0]["certificates"] = [{"subject": "CN=adt"}]
    intake.listener.feeds = Feeds.model_validate(said)
    assert await (await intake.sender()).send(adt("A01", facility="GENHOSP")) == "AR"
    await until(lambda: _refused(intake))


async def _refused(intake: Intake) -> bool:
    return await intake.log() == [("A01", "rejected", "sender-not-certified")]


async def test_the_command_sends_over_tls_with_a_certificate(hospitals: Hospitals, tmp_path: Path) -> None:
    file = tmp_path / "unsupported.hl7"
    file.write_bytes(adt("A99"))
    shown = ["--tls-certificate", str(hospitals.general.certificate), "--tls-key", str(hospitals.general.key)]
    async with (
        issuing(tmp_path / "issuer") as (_, tokens),
        service(tokens, message_routers(hospitals.intake), database=hospitals.intake.database) as api,
    ):
        where = {
            "HANDOFF_URL_INTAKE": api.url,
            "HANDOFF_TOKEN": tokens.of(Role.ADMIN),
            "HANDOFF_MLLP": f"127.0.0.1:{hospitals.intake.listener.port}",
            "HANDOFF_RUN_FOLDER": str(tmp_path / "run"),
        }
        ca = ["--tls-ca", str(hospitals.authority)]
        code, said, errors = await send(where, str(file), *ca, *shown)
        assert code == 0, errors
        [told] = json.loads(said)
        assert (told["ack"], told["feed"], told["reason"]) == ("AA", "general-hospital", "unsupported-trigger")
        assert (await send(where, str(file), *ca))[0] == 1
        code, _, errors = await send(where, str(file), *shown)
        assert (code, "go with --tls-ca" in errors) == (2, True)


async def send(where: dict[str, str], *arguments: str) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of `handoff send`."""
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.cli", "send", "--json", *arguments, env={**os.environ, **where, "COLUMNS": "160"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await done.communicate()
    return done.returncode, output.decode(), errors.decode()

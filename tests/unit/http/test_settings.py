"""Wrong settings: the process says which, what it saw and what it wants, and exits with 2."""

import pytest
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.http import HttpSettings, environment, read_settings
from shared.kafka import KafkaSettings
from shared.postgres import PostgresSettings


class Settings(BaseSettings):
    model_config = environment("WARD_")

    postgres: PostgresSettings = PostgresSettings(user="ward")
    http: HttpSettings = HttpSettings(port=8099)
    secret: SecretStr = Field(default=SecretStr(""), max_length=4, description="A short secret")
    beds: int = Field(default=4, ge=1, description="Beds in the ward")
    urls: dict[str, str] = Field(default_factory=dict, description="Where the others are")


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        read_settings(Settings)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_defaults_are_kept_where_only_a_part_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARD_HTTP__HOST", "127.0.0.2")
    monkeypatch.setenv("WARD_URLS__INTAKE", "http://127.0.0.1:1")
    settings = read_settings(Settings)
    assert (settings.http.host, settings.http.port) == ("127.0.0.2", 8099)
    assert settings.urls == {"intake": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("name", "value", "saw", "wants"),
    [
        ("WARD_BEDS", "many", "'many'", "a valid integer"),
        ("WARD_BEDS", "0", "'0'", "greater than or equal to 1"),
        ("WARD_HTTP__PORT", "99999", "'99999'", "less than or equal to 65535"),
        ("WARD_POSTGRES__PORT", "x", "'x'", "a valid integer"),
        ("WARD_HTTP__ISSUER", "http://id.example.org", "a part that does not fit together", "issuer_plaintext"),
        ("WARD_HTTP__JWKS_URL", "http://10.0.0.1/keys", "a part that does not fit together", "issuer_plaintext"),
        ("WARD_HTTP__HOST", "10.0.0.1", "a part that does not fit together", "plaintext_outside_loopback"),
    ],
)
def test_a_wrong_value_is_named(
    name: str, value: str, saw: str, wants: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    (line,) = complaint(capsys).splitlines()
    part = name.rsplit("__", 1)[0] if "part" in saw else name
    assert line.startswith(f"{part}: saw {saw}")
    assert wants in line


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WARD_SECRET", "hunter2hunter2")
    said = complaint(capsys)
    assert "WARD_SECRET: saw (hidden)" in said
    assert "hunter2" not in said


def test_a_misspelt_name_is_told_with_the_likely_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WARD_HTTP__PROT", "1")
    assert "WARD_HTTP__PROT: no setting has this name, wants: did you mean WARD_HTTP__PORT?" in complaint(capsys)


def test_what_kubernetes_announces_is_no_misspelling(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WARD_SERVICE_HOST", "WARD_SERVICE_PORT_HTTP", "WARD_PORT", "WARD_PORT_8080_TCP_ADDR"):
        monkeypatch.setenv(name, "10.0.0.1")
    assert read_settings(Settings).beds == 4


class Shared(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="WARD_", extra="ignore")


def test_a_model_that_ignores_extra_names_shares_its_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARD_OF_SOMEONE_ELSE", "1")
    assert isinstance(read_settings(Shared), Shared)


def test_every_wrong_setting_has_its_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WARD_BEDS", "x")
    monkeypatch.setenv("WARD_POSTGRES__PORT", "0")
    assert len(complaint(capsys).splitlines()) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_loopback_needs_no_tls(host: str) -> None:
    assert HttpSettings(host=host, port=1).host == host


@pytest.mark.parametrize("host", ["10.1.2.3", "kafka.example", "127.0.0.1.example"])
def test_other_hosts_are_spoken_to_in_the_clear_only_on_purpose(host: str) -> None:
    with pytest.raises(ValidationError, match="plaintext_outside_loopback"):
        PostgresSettings(user="ward", host=host)
    with pytest.raises(ValidationError, match="plaintext_outside_loopback"):
        KafkaSettings(bootstrap=f"127.0.0.1:9092,{host}:9092")
    assert PostgresSettings(user="ward", host=host, tls=True).tls
    secured = {"security_protocol": "SASL_SSL", "sasl_username": "ward", "sasl_password": SecretStr("x")}
    KafkaSettings.model_validate({"bootstrap": f"{host}:9092", **secured})
    KafkaSettings(bootstrap=f"{host}:9092", plaintext_outside_loopback=True)
    PostgresSettings(user="ward", host=host, plaintext_outside_loopback=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "ward.example"])  # noqa: S104  (what must be refused)
def test_plaintext_elsewhere_is_said_explicitly(host: str) -> None:
    with pytest.raises(ValidationError, match="plaintext_outside_loopback"):
        HttpSettings(host=host, port=1)
    assert HttpSettings(host=host, port=1, plaintext_outside_loopback=True).host == host

"""The programs of the stack, with the settings each of them is started with."""

import os
import signal
import sys

from deploy.local import apache, broker, postgres
from deploy.local.child import Program, Stage
from deploy.local.postgres import EmbeddedPostgres
from deploy.local.settings import SERVICES, StackSettings
from shared.kafka import KafkaSettings

# Who stands back for whom where processors are short: a message is taken in first, then told to who must know of it,
# then what must be done is worked out; Kafka keeps the rest waiting, and what waits is taken in larger batches. Not by
# much: who stands back far takes minutes to start where processors are short, and is killed again before it is ready.
NICENESS = {"intake": 0, "notifications": 1, "transitions": 3, "careplan": 5, "dashboard": 5, "signals": 5}


def kafka_settings(settings: StackSettings) -> KafkaSettings:
    return KafkaSettings(bootstrap=f"{settings.host}:{settings.broker_port}")


def postgres_program(server: EmbeddedPostgres) -> Program:
    return Program(
        name="postgres",
        command=server.command,
        stage=Stage.POSTGRES,
        owner=server.owner,
        cwd=server.data,
        stop_signal=signal.SIGINT,  # PostgreSQL's fast shutdown
        explain=postgres.explain,
    )


def broker_program(settings: StackSettings) -> Program:
    if settings.kafka == "apache":
        node = apache.ApacheKafka(settings.run_folder, settings.broker_port)
        return Program(name="broker", command=node.command, stage=Stage.BROKER)
    return Program(
        name="broker",
        command=lambda: broker.command(settings.broker_port),
        stage=Stage.BROKER,
    )


def issuer_program(settings: StackSettings) -> Program:
    return python(
        "issuer",
        "deploy.local.issuer",
        stage=Stage.PROVIDER,
        environment={
            "ISSUER_HOST": settings.host,
            "ISSUER_PORT": str(settings.issuer_port),
            "ISSUER_URL": settings.url_of("issuer"),
            "ISSUER_CONSOLE": settings.url_of("dashboard"),
            "ISSUER_FOLDER": str(settings.run_folder),
        },
        ready_url=f"{settings.url_of('issuer')}/.well-known/jwks.json",
    )


def service_programs(settings: StackSettings, server: EmbeddedPostgres) -> list[Program]:
    """The five services, each a process of its own."""
    return [
        python(
            service,
            f"services.{service}",
            stage=Stage.INTAKE if service == "intake" else Stage.SERVICES,
            environment=_wiring(service, service, settings, server) | _own(service, settings, server),
            ready_url=f"{settings.url_of(service)}/readyz",
            nice=NICENESS[service],
        )
        for service in SERVICES
    ]


def signals_program(settings: StackSettings, server: EmbeddedPostgres) -> Program:
    """The live signals write through transitions' role, for they use its store."""
    return python(
        "signals",
        "services.transitions.signals",
        stage=Stage.SERVICES,
        environment=_wiring("signals", "transitions", settings, server) | _signals_tables(settings),
        ready_url=f"{settings.url_of('signals')}/healthz",
        nice=NICENESS["signals"],
    )


def _signals_tables(settings: StackSettings) -> dict[str, str]:
    """Faust rebuilds its tables from their changelogs where the broker tells the ends of a log right (ADR 1)."""
    return _unless_set({"SIGNALS_TABLES": "postgres" if settings.kafka == "embedded" else "changelog"})


def side_programs(settings: StackSettings) -> list[Program]:
    """The sample provider and the simulated hospital, as far as they are wanted."""
    found = []
    if settings.sample_provider:
        found.append(
            python(
                "provider",
                "deploy.sample_provider",
                stage=Stage.PROVIDER,
                environment={
                    "PROVIDER_HOST": settings.host,
                    "PROVIDER_PORT": str(settings.provider_port),
                    "PROVIDER_NOTIFICATIONS": settings.url_of("notifications"),
                    "PROVIDER_ISSUER": settings.url_of("issuer"),
                    "PROVIDER_FOLDER": str(settings.run_folder / "provider"),
                },
                ready_url=f"{settings.url_of('provider')}/healthz",
            )
        )
    if settings.simulate:
        found.append(
            python(
                "simulator",
                "deploy.simulator",
                stage=Stage.SIMULATOR,
                environment={
                    "SIMULATE_HOST": settings.host,
                    "SIMULATE_PORT": str(settings.mllp_port),
                    "SIMULATE_LOG": os.environ.get("SIMULATE_LOG", str(settings.run_folder / "simulator.jsonl")),
                },
            )
        )
    return found


def python(
    name: str, module: str, *, stage: Stage, environment: dict[str, str], ready_url: str | None = None, nice: int = 0
) -> Program:
    command = [sys.executable, "-m", module]
    return Program(
        name=name, command=lambda: command, stage=stage, environment=environment, ready_url=ready_url, nice=nice
    )


def _wiring(program: str, role: str, settings: StackSettings, server: EmbeddedPostgres) -> dict[str, str]:
    """Where the others are: the same settings that point at a real cluster elsewhere."""
    prefix = program.upper()
    return {
        f"{prefix}_POSTGRES__HOST": "127.0.0.1",
        f"{prefix}_POSTGRES__PORT": str(settings.postgres_port),
        f"{prefix}_POSTGRES__DATABASE": postgres.DATABASE,
        f"{prefix}_POSTGRES__USER": role,
        f"{prefix}_POSTGRES__PASSWORD": server.keys.password(role),
        f"{prefix}_KAFKA__BOOTSTRAP": kafka_settings(settings).bootstrap,
        # The embedded broker delays each group join by eight seconds, and there is one replica of each service here.
        f"{prefix}_KAFKA__ASSIGNMENT": "all" if settings.kafka == "embedded" else "group",
        f"{prefix}_HTTP__HOST": settings.host,
        f"{prefix}_HTTP__PORT": str(settings.port_of(program)),
        f"{prefix}_HTTP__ISSUER": settings.url_of("issuer"),
        f"{prefix}_HTTP__DRAIN_SECONDS": "1",
    }


def _own(service: str, settings: StackSettings, server: EmbeddedPostgres) -> dict[str, str]:
    """What one service needs beside the wiring. A variable that the operator has set is left as it is."""
    match service:
        case "intake":
            fixed = {
                "INTAKE_MLLP__HOST": settings.host,
                "INTAKE_MLLP__PORT": str(settings.mllp_port),
                "INTAKE_MLLP__DRAIN_TIMEOUT_S": "1.5",
            }
            return fixed | _unless_set({"INTAKE_RAW_KEY": server.keys.raw_key})
        case "transitions":
            return _unless_set({"TRANSITIONS_DEMO": str(settings.demo).lower()})
        case "notifications":
            return _unless_set(
                {
                    "NOTIFICATIONS_SECRET_KEY": server.keys.secret_key,
                    "NOTIFICATIONS_ALLOW_PRIVATE_ENDPOINTS": "true",  # the sample provider listens on loopback
                }
            )
        case "dashboard":
            urls = {f"DASHBOARD_SERVICES__{name.upper()}": settings.url_of(name) for name in SERVICES}
            return urls | {"DASHBOARD_ISSUER_LOGIN": settings.url_of("issuer")}
        case _:
            return {}


def _unless_set(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name not in os.environ}

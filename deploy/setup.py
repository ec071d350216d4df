"""`python -m deploy.setup`: on a PostgreSQL and a Kafka that others run, make what the services expect, then end.

Reads PGHOST, PGPORT, PGUSER, PGPASSWORD (may make roles), <SERVICE>_POSTGRES__PASSWORD of each service, and
HANDOFF_KAFKA__BOOTSTRAP (and its fellows). Safe to repeat; docker compose and Kubernetes run it before the services.
"""

import asyncio
import logging
import os
import sys

import asyncpg
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from deploy.cli.provisioning import provision
from deploy.local.postgres import DATABASE
from deploy.local.settings import SERVICES
from deploy.local.supervisor import roster_file
from deploy.topics import create_topics, listening_organisations
from shared.http import environment, read_settings
from shared.kafka import KafkaSettings
from shared.postgres import PostgresSettings, migrate


class SetupSettings(BaseSettings):
    model_config = environment("HANDOFF_")

    kafka: KafkaSettings = Field(default=KafkaSettings(), description="The cluster that gets the topics.")
    replication: int = Field(default=1, ge=1, le=5, description="Copies of each partition.")


async def make_roles(passwords: dict[str, str]) -> None:
    """The database, and per service a role and a schema of its own."""
    admin = await asyncpg.connect(database="postgres")
    try:
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await admin.execute(f"CREATE DATABASE {DATABASE}")
        for service, password in passwords.items():
            known = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", service)
            quoted = await admin.fetchval("SELECT quote_literal($1::text)", password)
            verb = "ALTER" if known else "CREATE"
            await admin.execute(f"{verb} ROLE {service} LOGIN PASSWORD {quoted}")
    finally:
        await admin.close()
    admin = await asyncpg.connect(database=DATABASE)
    try:
        await admin.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for service in passwords:
            await admin.execute(f"GRANT {service} TO CURRENT_USER")
            await admin.execute(f"CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {service}")
            await admin.execute(f"ALTER ROLE {service} SET search_path = {service}")
    finally:
        await admin.close()


def migrate_all(passwords: dict[str, str], *, plaintext: bool) -> list[str]:
    host, port = os.environ.get("PGHOST", "127.0.0.1"), int(os.environ.get("PGPORT", "5432"))
    applied: list[str] = []
    for service, password in passwords.items():
        settings = PostgresSettings(
            host=host,
            port=port,
            database=DATABASE,
            user=service,
            password=SecretStr(password),
            tls="PGSSLMODE" in os.environ,
            plaintext_outside_loopback=plaintext,
        )
        applied += migrate(service, settings)
    return applied


async def main() -> int:
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what fails is raised; the rest is a client's noise
    settings = read_settings(SetupSettings)
    names = {service: f"{service.upper()}_POSTGRES__PASSWORD" for service in SERVICES}
    missing = [name for name in names.values() if not os.environ.get(name)]
    if missing:
        print(f"set {', '.join(missing)}", file=sys.stderr)
        return 2
    passwords = {service: os.environ[name] for service, name in names.items()}
    await make_roles(passwords)
    plaintext = settings.kafka.plaintext_outside_loopback
    for line in await asyncio.to_thread(migrate_all, passwords, plaintext=plaintext):
        print(line)
    organisations = listening_organisations(roster_file())
    for topic in await create_topics(settings.kafka, organisations, settings.replication):
        print(f"topic {topic}")
    await provision(settings.kafka, organisations, settings.replication)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

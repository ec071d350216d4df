"""`python -m deploy.setup` prepares a PostgreSQL and a Kafka that others run; twice is as good as once."""

import asyncio
import os
import sys

from deploy.local.broker import EmbeddedBroker
from deploy.local.keys import SERVICES
from deploy.local.ports import free_port
from deploy.local.postgres import EmbeddedPostgres
from shared.postgres import open_database
from tests.support.servers import reachable_folder


async def run_setup(environment: dict[str, str]) -> tuple[int | None, str]:
    done = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.setup", env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await done.communicate()
    return done.returncode, output.decode()


async def test_setup_makes_everything_once(fresh_broker: EmbeddedBroker) -> None:
    server = EmbeddedPostgres(reachable_folder(), free_port(), durable=False)
    await server.start()
    try:
        environment = {
            "PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "postgres",
            "PGPASSWORD": server.keys.password("postgres"), "HANDOFF_KAFKA__BOOTSTRAP": fresh_broker.kafka.bootstrap,
        }  # fmt: skip
        code, said = await run_setup(environment)
        assert (code, "INTAKE_POSTGRES__PASSWORD" in said) == (2, True)

        environment |= {f"{name.upper()}_POSTGRES__PASSWORD": server.keys.password(name) for name in SERVICES}
        code, said = await run_setup(environment)
        assert code == 0, said
        assert "intake: 0001_machinery.sql" in said
        assert "topic care.provider." in said
        database = await open_database("intake", server.settings("intake"))
        assert await database.pool.fetchval("SELECT count(*) FROM outbox") == 0
        await database.close()
        assert await run_setup(environment) == (0, "")
    finally:
        await server.stop()
        server.remove()

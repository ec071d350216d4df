"""Migrations: numbered plain .sql files, applied by alembic in the schema of each service, under a lock.

A file `0003_what.sql` is revision `0003`; it follows `0002`. The machinery's own files come first in every schema
and are counted in a version table of their own.
"""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import Revision, RevisionMap
from sqlalchemy import URL, Connection, create_engine, text

from shared.postgres.settings import PostgresSettings

# Nobody waits longer than this for a table lock during a migration: better a clear failure than a stalled hospital.
LOCK_TIMEOUT = "5s"


class SqlFiles(ScriptDirectory):
    """A folder of plain .sql files as alembic's script directory."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.revision_map = RevisionMap(lambda: iter(self._scripts(folder)))

    @staticmethod
    def _scripts(folder: Path) -> Iterator[Revision]:
        previous: str | None = None
        for path in sorted(folder.glob("[0-9]*_*.sql")):
            revision = path.name.split("_", 1)[0]
            module: Any = ModuleType(path.stem)
            module.revision, module.down_revision = revision, previous
            module.upgrade = _runner(path)
            yield Script(module, revision, str(path))
            previous = revision


def _runner(path: Path) -> Any:
    def upgrade() -> None:
        from alembic import op

        # The file is handed over as it stands: no parameters, so neither colons nor percent signs mean anything.
        op.get_bind().execution_options(no_parameters=True).exec_driver_sql(path.read_text())

    return upgrade


def migrate(service: str, settings: PostgresSettings) -> list[str]:
    """Brings the service's schema up to date and answers which files were applied. Safe to call at the same time twice.

    Raises sqlalchemy.exc.SQLAlchemyError when a file does not apply; nothing of that service's is then changed.
    """
    url = URL.create(
        "postgresql+psycopg",
        username=settings.user,
        password=settings.password.get_secret_value(),
        host=settings.host,
        port=settings.port,
        database=settings.database,
        query={"sslmode": "require"} if settings.tls else {},
    )
    engine = create_engine(url, connect_args={"options": f"-c search_path={service} -c lock_timeout={LOCK_TIMEOUT}"})
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": f"migrate {service}"})
            applied = _upgrade(connection, service, _folder("shared.postgres"), "machinery_version")
            applied += _upgrade(connection, service, _folder(f"services.{service}"), "service_version")
            connection.execute(text("SELECT outbox_maintain(14)"))
            return applied
    finally:
        engine.dispose()


def _folder(package: str) -> Path:
    return Path(str(resources.files(package))) / "migrations"


def _upgrade(connection: Connection, schema: str, folder: Path, version_table: str) -> list[str]:
    scripts = SqlFiles(folder)
    if scripts.get_current_head() is None:
        return []
    steps: list[str] = []

    def plan(current: Any, _context: Any) -> Any:
        found = scripts._upgrade_revs("head", current)  # noqa: SLF001  (alembic's own commands call it the same way)
        steps.extend(f"{schema}: {Path(step.revision.path).name}" for step in found)
        return found

    with EnvironmentContext(Config(), scripts, fn=plan) as environment:
        environment.configure(connection=connection, version_table=version_table, version_table_schema=schema)
        environment.run_migrations()
    return steps

"""A service's own schema in PostgreSQL: pool, transactions, outbox, migrations."""

from shared.postgres.database import Database, open_database
from shared.postgres.settings import PostgresSettings
from shared.postgres.transaction import Transaction

__all__ = ["Database", "PostgresSettings", "Transaction", "migrate", "open_database"]


def migrate(service: str, settings: PostgresSettings) -> list[str]:
    """See shared.postgres.migrating. Loaded when called: services never migrate, and start sooner without alembic."""
    from shared.postgres.migrating import migrate as apply

    return apply(service, settings)

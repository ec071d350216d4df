"""A service's own schema in PostgreSQL: pool, transactions, outbox, migrations."""

from shared.postgres.database import Database, open_database
from shared.postgres.migrating import migrate
from shared.postgres.settings import PostgresSettings
from shared.postgres.transaction import Transaction

__all__ = ["Database", "PostgresSettings", "Transaction", "migrate", "open_database"]

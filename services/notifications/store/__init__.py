"""All SQL of notifications, one function a statement, by what it is for: roster, queueing, sending, reading …"""

from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

# A row as asyncpg gives it: a mapping whose columns the statement knows, and no type checker.
Record: TypeAlias = Any

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record] | asyncpg.Pool[asyncpg.Record]

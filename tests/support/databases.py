"""A database per test, cloned from a template that was migrated once."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio

from deploy.local.keys import SERVICES
from deploy.local.postgres import DATABASE, EmbeddedPostgres
from shared.postgres import Database, PostgresSettings, migrate, open_database


class Databases:
    """A test's own clone: `await databases.open("intake")` gives the pool of a service's schema in it."""

    def __init__(self, server: EmbeddedPostgres, name: str) -> None:
        self.server = server
        self.name = name
        self._opened: list[Database] = []

    def settings(self, service: str) -> PostgresSettings:
        return self.server.settings(service, self.name)

    async def open(self, service: str) -> Database:
        database = await open_database(service, self.settings(service))
        self._opened.append(database)
        return database

    async def close(self) -> None:
        for database in self._opened:
            database.pool.terminate()
        connection = await self.server.connect("postgres")
        try:
            await connection.execute(f'DROP DATABASE "{self.name}" WITH (FORCE)')
        finally:
            await connection.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template_database(postgres_server: EmbeddedPostgres) -> str:
    """The database that every service's migrations were applied to."""
    for service in SERVICES:
        await asyncio.to_thread(migrate, service, postgres_server.settings(service))
    return DATABASE


@pytest_asyncio.fixture(loop_scope="session")
async def databases(postgres_server: EmbeddedPostgres, template_database: str) -> AsyncIterator[Databases]:
    name = f"test_{uuid4().hex}"
    connection = await postgres_server.connect("postgres")
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template_database}')
    finally:
        await connection.close()
    clone = Databases(postgres_server, name)
    yield clone
    await clone.close()

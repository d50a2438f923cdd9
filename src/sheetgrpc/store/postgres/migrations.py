"""Brings the schema `sheetgrpc` up to this program's, and names the database.

Several servers may start at once: one holds the lock row and migrates, the others wait for it and find it done. All of
it is one transaction. A database that is newer than the program, or that has our tables but no record of how they came
about, is refused: a guess would be worse.
"""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import asyncpg

from sheetgrpc.store.base import StoreRefused
from sheetgrpc.store.postgres.connection import MINIMUM
from sheetgrpc.store.queries import Migration, load_migrations, load_queries

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

_SQL = load_queries("postgres")
_ATTEMPTS = 10
# What IF NOT EXISTS may still raise where two programs say it at once.
_RACES = (
    asyncpg.UniqueViolationError,
    asyncpg.DuplicateTableError,
    asyncpg.DuplicateSchemaError,
    asyncpg.DuplicateObjectError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InternalServerError,
)


async def check_version(connection: "Connection") -> str:
    """The server's version. Raises StoreRefused if it is too old."""
    number, text = await connection.fetchrow(_SQL["server_version"])  # type: ignore[misc]  # one row, always
    if number < MINIMUM:
        raise StoreRefused(f"PostgreSQL {text} is too old; {MINIMUM // 10_000} or newer is needed")
    return str(text).partition(" ")[0]


async def migrate(connection: "Connection", now: int, migrations: Sequence[Migration] | None = None) -> str:
    """Applies what is missing; answers the database's incarnation. Raises StoreRefused."""
    known = load_migrations("postgres") if migrations is None else migrations
    if not await _is_done(connection, known):
        await _make_record(connection)
        async with connection.transaction():
            await connection.execute(_SQL["lock_migrations"])
            await _apply_missing(connection, known, now)
    return str(await connection.fetchval(_SQL["meta"], "incarnation"))


async def _is_done(connection: "Connection", known: Sequence[Migration]) -> bool:
    """True if nothing is missing: a server that starts needs no right to make tables then."""
    if not await connection.fetchval(_SQL["has_record"]):
        return False
    done = await connection.fetchval(_SQL["migration_version"])
    _refuse_newer(done, known)
    return bool(done == known[-1].version)


async def _make_record(connection: "Connection") -> None:
    for attempt in range(_ATTEMPTS):
        try:
            await connection.execute(_SQL["create_record"])
        except _RACES:
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            return


async def _apply_missing(connection: "Connection", known: Sequence[Migration], now: int) -> None:
    done = await connection.fetchval(_SQL["migration_version"])
    _refuse_newer(done, known)
    tables = [name for (name,) in await connection.fetch(_SQL["our_tables"])]
    if tables and not done:
        raise StoreRefused(
            f"the schema sheetgrpc has tables ({tables[0]}, ...) but no record of their version in its table migrations"
        )
    for migration in known:
        if migration.version <= done:
            continue
        await connection.execute(migration.sql)
        await connection.execute(_SQL["add_migration"], migration.version, migration.name, now)
    await connection.execute(_SQL["add_meta"], "incarnation", str(uuid.uuid4()))


def _refuse_newer(done: int, known: Sequence[Migration]) -> None:
    newest = known[-1].version
    if done > newest:
        raise StoreRefused(f"the database has schema {done}, this program knows up to {newest}; start a newer one")

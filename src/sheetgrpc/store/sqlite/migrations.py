"""Brings a database's schema up to this program's, one numbered step a transaction, and names the database.

A database that is newer than the program, or that has our tables but no record of how they came about, is refused: a
guess would be worse.
"""

import sqlite3
import uuid
from collections.abc import Sequence

import msgspec

from sheetgrpc.session import events as log
from sheetgrpc.session.evolution import fold
from sheetgrpc.session.model import Session
from sheetgrpc.store.base import StoreRefused
from sheetgrpc.store.queries import Migration, load_migrations, load_queries, statements

_SQL = load_queries("sqlite")
_RECORD = "sheetgrpc_migrations"


def migrate(connection: sqlite3.Connection, now: int, migrations: Sequence[Migration] | None = None) -> str:
    """Applies what is missing; answers the database's incarnation. Raises StoreRefused."""
    known = load_migrations("sqlite") if migrations is None else migrations
    done = read_version(connection)
    newest = known[-1].version
    if done > newest:
        raise StoreRefused(f"the database has schema {done}, this program knows up to {newest}; start a newer one")
    for migration in known:
        if migration.version <= done:
            continue
        _apply(connection, migration, now, anew=migration is known[-1] and done > 0)
    (incarnation,) = connection.execute(_SQL["meta"], {"name": "incarnation"}).fetchone()
    return str(incarnation)


def read_version(connection: sqlite3.Connection) -> int:
    """The newest migration that the database has had, 0 for one without tables of ours. Raises StoreRefused."""
    tables = [name for (name,) in connection.execute(_SQL["our_tables"])]
    if not tables:
        return 0
    version = None
    if _RECORD in tables:
        (version,) = connection.execute(_SQL["migration_version"]).fetchone()
    if version is None:
        raise StoreRefused(
            f"the database has tables of ours ({tables[0]}, ...) but no record of their version in {_RECORD}"
        )
    return int(version)


def _apply(connection: sqlite3.Connection, migration: Migration, now: int, *, anew: bool) -> None:
    """`anew`: with the schema up to date, the sessions are folded by this program's rules."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_SQL["create_migrations"])
        for statement in statements(migration.sql):
            connection.execute(statement)
        if anew:
            _fold_sessions(connection)
        connection.execute(_SQL["add_meta"], {"name": "incarnation", "value": str(uuid.uuid4())})
        record = {"version": migration.version, "name": migration.name, "applied_at": now}
        connection.execute(_SQL["add_migration"], record)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _fold_sessions(connection: sqlite3.Connection) -> None:
    """Makes every session's row of its log: the fold may know more than that of the program which wrote it."""
    for session_id, base in connection.execute(_SQL["session_bases"]).fetchall():
        rows = connection.execute(_SQL["events"], {"session_id": session_id, "after": 0, "limit": -1}).fetchall()
        if not rows:
            continue  # nobody's doing, but no reason to refuse the others a server
        before = msgspec.json.decode(base, type=Session) if base is not None else None
        session = fold((log.decode(body) for _, body in rows), before)
        connection.execute(_SQL["change_body"], {"id": session_id, "body": msgspec.json.encode(session)})

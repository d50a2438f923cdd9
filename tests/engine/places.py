"""Where an engine's database is, and what another program does to the user's tables in it, on every backend."""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from datetime import date
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import asyncpg

HERE = Path(__file__).parent
Place = Path | str  # a SQLite file, or the URL of a PostgreSQL database
T = TypeVar("T")


def url_of(place: Place) -> str:
    """As the setting `database` has it."""
    return place if isinstance(place, str) else f"sqlite:///{place}"


def make_database(place: Place) -> None:
    """The user's tables, if the file is not there; a PostgreSQL database is given with them."""
    if isinstance(place, str) or place.exists():
        return
    with closing(sqlite3.connect(place)) as connection:
        connection.executescript((HERE / "fleet.sql").read_text())


def query(place: Place, sql: str, *values: object) -> list[Any]:
    """The rows of a query in SQLite's words; rows of one column as that column's values, all as SQLite has them."""
    if isinstance(place, str):
        found = [tuple(map(_plain, row)) for row in _aside(lambda: fetch(place, _numbered(sql), values))]
    else:
        with closing(sqlite3.connect(place)) as connection:
            found = connection.execute(sql, values).fetchall()
    return [row[0] if len(row) == 1 else row for row in found]


def change(place: Place, sql: str, *values: object) -> None:
    """A change that another program makes, foreign keys or not."""
    if isinstance(place, str):
        _aside(lambda: fetch(place, _numbered(sql), values, "SET session_replication_role = replica"))
        return
    with closing(sqlite3.connect(place)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(sql, values)


def dump(place: Place) -> str:
    """All of the user's tables, as text."""
    if isinstance(place, str):
        return _aside(lambda: _dump(place))
    with closing(sqlite3.connect(place)) as connection:
        return "\n".join(line for line in connection.iterdump() if "sheetgrpc_" not in line)


@contextmanager
def locked(place: Place) -> Iterator[None]:
    """Another program writes to the file, and takes its time."""
    assert isinstance(place, Path)
    with closing(sqlite3.connect(place, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def fetch(url: str, sql: str, values: tuple[object, ...] = (), first: str = "") -> list[asyncpg.Record]:
    """The rows of a query in PostgreSQL's words, after `first`."""
    connection = await asyncpg.connect(url)
    try:
        if first:
            await connection.execute(first)
        return await connection.fetch(sql, *values)
    finally:
        await connection.close()


async def _dump(url: str) -> str:
    tables = await fetch(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1", ())
    lines: list[str] = []
    for (table,) in tables:
        lines += [f"{table} {row}" for (row,) in await fetch(url, f'SELECT t::text FROM "{table}" AS t ORDER BY 1', ())]
    return "\n".join(lines)


def _aside(work: Callable[[], Coroutine[None, None, T]]) -> T:
    """The outcome of `work` on a loop of its own: the one of the test waits, as it does for SQLite."""
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(asyncio.run(work()))
        except BaseException as error:  # noqa: BLE001  # raised below, in the test's own thread
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]


def _numbered(sql: str) -> str:
    numbers = count(1)
    return "".join(f"${next(numbers)}" if char == "?" else char for char in sql).replace("sheetgrpc_", "sheetgrpc.")


def _plain(value: object) -> object:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return float(value) if value % 1 else int(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list):
        return json.dumps(value)
    return value.isoformat() if isinstance(value, date) else value

"""psycopg 3 or asyncpg: both with our statements' shapes, interleaved, on one server whose commits wait for the disk.

`python -m tests.bench.drivers` prints medians. Needs both drivers; the service itself needs one (docs/performance.md).
"""

import asyncio
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import asyncpg
import psycopg
from tests import postgres

ROWS = 10_000
ROUNDS = 7
COMMANDS = 300
SCRIPT = """
CREATE TABLE cbus (id uuid PRIMARY KEY, name text NOT NULL, place text NOT NULL, amount numeric, UNIQUE (name, place));
CREATE TABLE results (execution text, at integer, depth integer, status smallint, key text, detail bytea,
    PRIMARY KEY (execution, at));
CREATE TABLE sessions (id text PRIMARY KEY, version integer, body bytea);
CREATE TABLE events (id text, at integer, body bytea, PRIMARY KEY (id, at));
CREATE TABLE replies (id text PRIMARY KEY, body bytea);
INSERT INTO sessions SELECT 's' || i, 1, convert_to(repeat('x', 900), 'UTF8') FROM generate_series(1, 1000) AS i;
"""
FIND = """SELECT i.n, t.id, t.amount IS DISTINCT FROM i.amount::numeric
FROM unnest({0}::text[], {1}::text[], {2}::text[]) WITH ORDINALITY AS i (name, place, amount, n)
JOIN cbus AS t ON t.name = i.name AND t.place = i.place"""
INSERT = """INSERT INTO cbus (id, name, place, amount)
SELECT i.id::uuid, i.name, i.place, i.amount::numeric
FROM unnest({0}::text[], {1}::text[], {2}::text[], {3}::text[]) AS i (id, name, place, amount)"""
IMPORT = """INSERT INTO cbus SELECT gen_random_uuid(), 'Fund "' || i || '" of Luxembourg', 'LU', i
FROM generate_series(0, 9999) AS i"""
Work = Callable[[], Awaitable[None]]
Columns = list[list[str]]


def columns(place: str) -> Columns:
    """The cells of 10,000 rows, as a plan has them."""
    at = range(ROWS)
    names = [f'Fund "{i}" of Luxembourg' for i in at]
    return [[str(uuid.uuid4()) for _ in at], names, [place] * ROWS, [f"{i}.5" for i in at]]


FOUND, NEW = columns("LU"), columns("DE")
RESULTS = [(i, i // 5000, 4, f'"{uuid.uuid4()}"', None) for i in range(ROWS)]


def psycopg_works(connection: "psycopg.AsyncConnection[tuple[object, ...]]") -> dict[str, Work]:
    marks = ["%s"] * 4

    async def look_up() -> None:
        async with connection.transaction():
            await (await connection.execute(FIND.format(*marks), FOUND[1:])).fetchall()

    async def insert() -> None:
        async with connection.transaction(force_rollback=True):
            await connection.execute(INSERT.format(*marks), NEW)

    async def copy() -> None:
        name = uuid.uuid4().hex
        async with (
            connection.transaction(),
            connection.cursor() as cursor,
            cursor.copy("COPY results FROM STDIN") as to,
        ):
            for row in RESULTS:
                await to.write_row((name, *row))

    async def command() -> None:
        for i in range(COMMANDS):
            async with connection.transaction(), connection.pipeline():
                name = f"s{i + 1}"
                await (
                    await connection.execute("SELECT body, version FROM sessions WHERE id = %s FOR UPDATE", [name])
                ).fetchone()
                key = uuid.uuid4().hex
                await connection.execute(
                    "UPDATE sessions SET version = version + 1, body = %s WHERE id = %s AND version > 0",
                    [b"x" * 900, name],
                )
                await connection.execute("INSERT INTO events VALUES (%s, 1, %s)", [key, b"x" * 200])
                await connection.execute("INSERT INTO replies VALUES (%s, %s)", [key, b"x" * 900])

    async def read() -> None:
        for i in range(COMMANDS):
            await (
                await connection.execute("SELECT body, version FROM sessions WHERE id = %s", [f"s{i + 1}"])
            ).fetchone()

    async def one_by_one() -> None:
        async with connection.transaction(force_rollback=True):
            for row in zip(*(column[:COMMANDS] for column in NEW), strict=True):
                await connection.execute("INSERT INTO cbus VALUES (%s::text::uuid, %s, %s, %s::text::numeric)", row)

    return {
        "look-up": look_up,
        "insert": insert,
        "copy results": copy,
        "command": command,
        "read": read,
        "single rows": one_by_one,
    }


@asynccontextmanager
async def rolled_back(connection: "asyncpg.Connection[asyncpg.Record]") -> AsyncIterator[None]:
    """A transaction that leaves nothing."""
    transaction = connection.transaction()
    await transaction.start()
    yield
    await transaction.rollback()


def asyncpg_works(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, Work]:
    marks = ["$1", "$2", "$3", "$4"]

    async def look_up() -> None:
        async with connection.transaction():
            await connection.fetch(FIND.format(*marks), *FOUND[1:])

    async def insert() -> None:
        async with rolled_back(connection):
            await connection.execute(INSERT.format(*marks), *NEW)

    async def copy() -> None:
        name = uuid.uuid4().hex
        async with connection.transaction():
            await connection.copy_records_to_table("results", records=((name, *row) for row in RESULTS))

    async def command() -> None:
        for i in range(COMMANDS):
            async with connection.transaction():
                name = f"s{i + 1}"
                await connection.fetchrow("SELECT body, version FROM sessions WHERE id = $1 FOR UPDATE", name)
                key = uuid.uuid4().hex
                await connection.execute(
                    "UPDATE sessions SET version = version + 1, body = $1 WHERE id = $2 AND version > 0",
                    b"x" * 900,
                    name,
                )
                await connection.execute("INSERT INTO events VALUES ($1, 1, $2)", key, b"x" * 200)
                await connection.execute("INSERT INTO replies VALUES ($1, $2)", key, b"x" * 900)

    async def read() -> None:
        for i in range(COMMANDS):
            await connection.fetchrow("SELECT body, version FROM sessions WHERE id = $1", f"s{i + 1}")

    async def one_by_one() -> None:
        async with rolled_back(connection):
            for row in zip(*(column[:COMMANDS] for column in NEW), strict=True):
                await connection.execute("INSERT INTO cbus VALUES ($1::text::uuid, $2, $3, $4::text::numeric)", *row)

    return {
        "look-up": look_up,
        "insert": insert,
        "copy results": copy,
        "command": command,
        "read": read,
        "single rows": one_by_one,
    }


async def measure(server: postgres.Server) -> None:
    """Prints a line a statement: milliseconds (a command, a read, a single row: microseconds each)."""
    url = await server.fresh(SCRIPT)
    first = await psycopg.AsyncConnection.connect(url, autocommit=True)
    second = await asyncpg.connect(url)
    await second.execute(IMPORT)
    works = {"psycopg": psycopg_works(first), "asyncpg": asyncpg_works(second)}
    for name in works["psycopg"]:
        took: dict[str, list[tuple[float, float]]] = {driver: [] for driver in works}
        for _ in range(ROUNDS):
            for driver, work in works.items():
                began, cpu = time.perf_counter(), time.process_time()
                await work[name]()
                took[driver].append((time.perf_counter() - began, time.process_time() - cpu))
        unit, scale = ("us", 1e6 / COMMANDS) if name in ("command", "read", "single rows") else ("ms", 1e3)
        line = ""
        for driver, times in took.items():
            wall, cpu = (statistics.median(column) * scale for column in zip(*times, strict=True))
            line += f"  {driver} {wall:7.1f} {unit} (CPU here {cpu:7.1f})"
        print(f"{name:14} {line}")
    await first.close()
    await second.close()


def main() -> None:
    """Runs it."""
    server = postgres.start(durable=True)
    try:
        asyncio.run(measure(server))
    finally:
        asyncio.run(server.close())


if __name__ == "__main__":
    main()

"""The bench on PostgreSQL: the 10,000-statement sheet beside the same rows written by hand with asyncpg.

Both in databases of one server whose commits wait for the disk.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import asyncpg
from tests import postgres
from tests.bench.sheets import SCHEMA, two_phases

ROWS = 10_000
_RESULTS = """
CREATE TABLE results (
  execution bigint, statement integer, status integer, key text, PRIMARY KEY (execution, statement)
);
"""
Rows = list[tuple[str, str, str]]


class Client(Protocol):
    """What the bench needs of a client of the service."""

    async def parse(self, source: str) -> tuple[str, float]: ...

    async def execute(self, session: str) -> float: ...


class ByHand:
    """The same rows in one transaction, from ready-made tuples: a look-up a row, a result row a statement."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection
        self._number = 0
        self._keys = 0

    async def run(self, mark: str, *, in_sets: bool) -> float:
        """Seconds. `in_sets`: one statement a table and COPY, else executemany as most would write it."""
        self._number += 1
        quarter = ROWS // 4
        clients = [(self._key(), f"{mark} Pension Client {i:06d}", "LU") for i in range(quarter)]
        companies = [(self._key(), f"{mark} Depositary {i:06d}", "DE") for i in range(quarter)]
        roles = [(clients[i][0], companies[(i + j) % quarter][0], "CUSTODIAN") for i in range(quarter) for j in (0, 7)]
        keys = [*(row[0] for row in clients), *(row[0] for row in companies), *(None for _ in roles)]
        results = [(self._number, i, 1, key) for i, key in enumerate(keys)]
        began = time.perf_counter()
        async with self._connection.transaction():
            await (self._in_sets if in_sets else self._one_by_one)(clients, companies, roles)
            if in_sets:
                await self._connection.copy_records_to_table("results", records=results)
            else:
                await self._connection.executemany("INSERT INTO results VALUES ($1, $2, $3, $4)", results)
        return time.perf_counter() - began

    async def _one_by_one(self, clients: Rows, companies: Rows, roles: Rows) -> None:
        for table, rows in (("clients", clients), ("companies", companies)):
            await self._connection.executemany(
                f"INSERT INTO {table} SELECT $1::text, $2::text, $3::text WHERE NOT EXISTS"
                f" (SELECT 1 FROM {table} WHERE name = $2 AND country = $3)",
                rows,
            )
        await self._connection.executemany(
            "INSERT INTO roles SELECT $1::text, $2::text, $3::text WHERE NOT EXISTS"
            " (SELECT 1 FROM roles WHERE client_id = $1 AND company_id = $2 AND role = $3)",
            roles,
        )

    async def _in_sets(self, clients: Rows, companies: Rows, roles: Rows) -> None:
        for table, rows in (("clients", clients), ("companies", companies), ("roles", roles)):
            columns = list(map(list, zip(*rows, strict=True)))
            await self._connection.execute(
                f"INSERT INTO {table} SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING",
                *columns,
            )

    def _key(self) -> str:
        """Rising, as the service's UUIDv7s are."""
        self._keys += 1
        return f"01970000-0000-7000-8000-{self._keys:012x}"


class Bench(Protocol):
    """Where figures go."""

    quick: bool

    def fresh(self) -> str: ...

    def note(
        self, name: str, ours: float, unit: str, ratio: float | None, ceiling: float, aim: float, beside: str
    ) -> None: ...


async def measure(bench: Bench, serve: Callable[[str], Awaitable[Client]]) -> None:
    """(p). `serve` starts a server on a URL; medians of rounds, of which the first two warm up plans and pages."""
    server = await asyncio.to_thread(postgres.start, durable=True)
    found: dict[str, list[float]] = {"execute": [], "rows": [], "sets": [], "execute/rows": [], "execute/sets": []}
    try:
        client = await serve(await server.fresh(SCHEMA))
        connection = await asyncpg.connect(await server.fresh(SCHEMA + _RESULTS))
        for at in range(7 if bench.quick else 11):
            mark = bench.fresh()
            rows, sets = await by_hand_pair(ByHand(connection), mark, at)
            session, _ = await client.parse(two_phases(ROWS, mark))
            execute = await client.execute(session)
            if at > 1:
                for name, value in zip(found, (execute, rows, sets, execute / rows, execute / sets), strict=True):
                    found[name].append(value)
        await connection.close()
    finally:
        await server.close()
    times = {name: statistics.median(values) for name, values in found.items()}
    for way, told, ceiling, aim in (("rows", "row by row", 3, 2), ("sets", "in sets, COPY", 6, 4)):
        beside = f"by hand {told} {times[way] * 1000:.0f} ms"
        ratio = times[f"execute/{way}"]
        bench.note("(p) 10,000 on PostgreSQL: execute", times["execute"] * 1000, "ms", ratio, ceiling, aim, beside)


async def by_hand_pair(by_hand: ByHand, mark: str, at: int) -> tuple[float, float]:
    """Both ways, in turn, with rows of their own."""
    by_hand._number, by_hand._keys = 2 * at, 2 * at * ROWS
    rows = await by_hand.run(f"{mark} rows", in_sets=False)
    return rows, await by_hand.run(f"{mark} sets", in_sets=True)

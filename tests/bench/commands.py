"""Row (q): commands a second on PostgreSQL, by one, two and three replicas, beside the same transactions by hand.

Clients, replicas and PostgreSQL share the machine: what three replicas gain here, machines of their own gain more.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path

import asyncpg
import grpc
from tests import postgres
from tests.bench.measuring import CHANNEL, Bench, Client, Process
from tests.bench.sheets import SCHEMA

from sheetgrpc.v1 import session_service_pb2 as pb

CALLERS, CONNECTIONS = 64, 10
_BODY = 900  # bytes of a session, an event and a reply, together, of which a command writes each
_TABLES = """
CREATE TABLE sessions (id text PRIMARY KEY, version bigint NOT NULL, body bytea NOT NULL);
CREATE TABLE events (session_id text, sequence bigint, body bytea NOT NULL, PRIMARY KEY (session_id, sequence));
CREATE TABLE replies (request_id text PRIMARY KEY, body bytea NOT NULL);
"""
Work = Callable[[int, int], Awaitable[None]]


async def measure_commands(bench: Bench, folder: Path) -> None:
    """One row a number of replicas."""
    server = await asyncio.to_thread(postgres.start, durable=True)
    try:
        async with AsyncExitStack() as stack:
            base = await _by_hand(stack, await server.fresh(_TABLES), 30 if bench.quick else 60)
            url = await server.fresh(SCHEMA)
            clients: list[Client] = []
            for replicas in (1, 2, 3):
                clients.append(await _serve(stack, url, folder))
                rate = await _commands(clients, 8 if bench.quick else 15)
                name = f"(q) commands a second on PostgreSQL, {replicas} replica{'s'[: replicas - 1]}"
                bench.note(name, rate, "/s", base / rate, 6, 4, f"the same by hand {base:.0f} /s, {CALLERS} callers")
    finally:
        await server.close()


async def _serve(stack: AsyncExitStack, url: str, folder: Path) -> Client:
    process = await Process.start("ours", url, str(folder / "catalog.yaml"))
    stack.push_async_callback(process.stop)
    return Client(await stack.enter_async_context(grpc.aio.insecure_channel(process.address, options=CHANNEL)))


async def _commands(clients: Sequence[Client], each: int) -> float:
    """UpdateSession with a request id, a caller a session; every caller has its replica."""
    made = [(await clients[0].sessions.CreateSession(pb.CreateSessionRequest())).session.id for _ in range(CALLERS)]
    of = [client for _, client in zip(made, cycle(clients), strict=False)]

    async def command(caller: int, number: int) -> None:
        request_id = f"{len(clients)}-{caller}-{number}"
        request = pb.UpdateSessionRequest(session=made[caller], name=f"name {number}", request_id=request_id)
        await of[caller].sessions.UpdateSession(request)

    return await _rate(command, each)


async def _by_hand(stack: AsyncExitStack, url: str, each: int) -> float:
    """What a command has to do at the least: the reply looked up, the session held and changed, an event, a reply."""
    pool = await stack.enter_async_context(asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS))
    body = bytes(_BODY // 3)
    for caller in range(CALLERS):
        await pool.execute("INSERT INTO sessions VALUES ($1, 0, $2)", f"s{caller}", body)

    async def command(caller: int, number: int) -> None:
        session, request_id = f"s{caller}", f"{caller}-{number}"
        async with pool.acquire() as connection:
            await connection.fetchrow("SELECT body FROM replies WHERE request_id = $1", request_id)
            async with connection.transaction():
                row = await connection.fetchrow("SELECT version, body FROM sessions WHERE id = $1 FOR UPDATE", session)
                assert row is not None
                version = row[0] + 1
                await connection.execute(
                    "UPDATE sessions SET version = $2, body = $3 WHERE id = $1", session, version, body
                )
                await connection.execute("INSERT INTO events VALUES ($1, $2, $3)", session, version, body)
                await connection.execute("INSERT INTO replies VALUES ($1, $2)", request_id, body)

    return await _rate(command, each)


async def _rate(work: Work, each: int) -> float:
    """Median a second of three rounds, after one that warms up; callers go on one after the other, all at once."""
    numbers = iter(range(1_000_000))

    async def caller(number: int, first: int, calls: int) -> None:
        for at in range(calls):
            await work(number, first + at)

    rates: list[float] = []
    for _ in range(4):
        first = next(numbers) * each
        began = time.perf_counter()
        await asyncio.gather(*(caller(number, first, each) for number in range(CALLERS)))
        rates.append(CALLERS * each / (time.perf_counter() - began))
    return statistics.median(rates[1:])

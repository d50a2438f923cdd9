"""The bench of several servers on one PostgreSQL: commands a second, and how soon a dead one's queue is worked on.

All of them, the database and the clients share this machine's cores.
"""

import asyncio
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

from tests import postgres
from tests.replicas.cluster import YARD, Cluster, cluster, ended, held, ready, sheet

from sheetgrpc.client import Session, connect

_CALLERS = 48
_LEASE = 2.0  # seconds
_QUEUED = 20


class Bench(Protocol):
    """Where figures go."""

    quick: bool

    def note(
        self, name: str, ours: float, unit: str, ratio: float | None, ceiling: float, aim: float, beside: str
    ) -> None: ...


async def measure(bench: Bench) -> None:
    """(r)."""
    server = await asyncio.to_thread(postgres.start, durable=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            first = 0.0
            for count in (1, 2, 3):
                url = await server.fresh(YARD, postgres.migrate)
                async with cluster(url, Path(folder), count) as servers:
                    rate = await _rate(servers, 1.5 if bench.quick else 3.0)
                first = first or rate
                beside = f"{rate:.0f} commands a second from {_CALLERS} callers at once"
                bench.note(f"(r) a command, of {count} servers", 1e6 / rate, "us", first / rate, 3, 1, beside)
            url = await server.fresh(YARD, postgres.migrate)
            async with cluster(url, Path(folder), 2, replica_lease=f"{_LEASE}s") as servers:
                seconds = await _take_over(servers)
            beside = f"its run INTERRUPTED and {_QUEUED} queued executions done; a lease is {_LEASE:g} s"
            bench.note("(r) a dead server's work", seconds * 1000, "ms", seconds / _LEASE, 2, 1.2, beside)
    finally:
        await server.close()


async def _rate(servers: Cluster, seconds: float) -> float:
    """Commands a second of callers that each change a session of their own, round all servers."""
    done = 0

    async def call(session: Session, until: float) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await session.update(name=f"{done}")
            done += 1

    async with AsyncExitStack() as opened:
        sessions = []
        for at in range(_CALLERS):
            address = servers.addresses[at % len(servers.addresses)]
            client = connect(address, options=(("grpc.use_local_subchannel_pool", 1),))
            sessions.append(await (await opened.enter_async_context(client)).sessions.create())
        began = time.perf_counter()
        await asyncio.gather(*(call(session, began + seconds) for session in sessions))
        return done / (time.perf_counter() - began)


async def _take_over(servers: Cluster) -> float:
    """Seconds from a server's death to the end of the last execution that it had taken."""
    struck, other = servers.replicas
    async with held(servers.url, "LOCK TABLE crates IN SHARE MODE") as hold:
        other_run = await (await ready(other.client, sheet(1, "o"))).submit_sheet(confirm=True)
        await hold.wanted()
        running = await (await ready(struck.client, sheet(1, "r"))).submit_sheet(confirm=True)
        sessions = [await ready(struck.client, f'(other.ensure :code "{at}")') for at in range(_QUEUED)]
        queued = [await session.submit_sheet(confirm=True) for session in sessions]
        began = time.perf_counter()
        await struck.kill()
    ends = [ended(other.client, one.id) for one in (other_run, running, *queued)]
    await asyncio.gather(*ends)
    return time.perf_counter() - began

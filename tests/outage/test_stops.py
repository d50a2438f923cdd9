"""A server that stops while its PostgreSQL is away: it has an end of its own, whatever it was doing."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import grpc
import pytest
from tests.outage.clusters import Cluster
from tests.outage.proxy import Proxy
from tests.outage.serving import SOON, create, ended, ready, serving, submit
from tests.rpc.serving import Running

from sheetgrpc.v1 import execution_pb2
from sheetgrpc.v1 import session_service_pb2 as sessions

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("hasty")]

INSERT = b'INSERT INTO "cbus"'
STOP = 2 * SOON  # the last words to the database (of the fixture `hasty`), and what it takes to break them off


def _cut(line: Proxy) -> None:
    line.lead("/nowhere")
    line.cut()


AWAY: dict[str, Callable[[Proxy], None]] = {"blocked": Proxy.block, "cut": _cut}
HOW = pytest.mark.parametrize("go_away", AWAY.values(), ids=AWAY)


@asynccontextmanager
async def stopped_soon(url: str, replica_lease: float = 10.0) -> AsyncIterator[Running]:
    """A server whose stop takes no longer than it may."""
    began = 0.0
    async with serving(url, replica_lease=replica_lease) as server:
        yield server
        began = time.monotonic()
    assert time.monotonic() - began < STOP


@HOW
async def test_a_server_that_does_nothing_stops(
    database: Cluster, line: Proxy, go_away: Callable[[Proxy], None]
) -> None:
    """All its loops look at the database now and then, and one listens to it."""
    async with stopped_soon(line.url("postgres")) as server:
        await server.sessions.CreateSession(create("kept"))
        go_away(line)
    line.let_go()


async def test_a_server_whose_database_stands_still_stops(database: Cluster) -> None:
    try:
        async with stopped_soon(database.url()) as server:
            await server.sessions.CreateSession(create("kept"))
            database.freeze()
    finally:
        database.thaw()


@HOW
async def test_calls_that_wait_do_not_keep_a_server_from_stopping(
    database: Cluster, line: Proxy, go_away: Callable[[Proxy], None]
) -> None:
    """Commands that hold a connection, wait for one, and reads."""
    async with stopped_soon(line.url("postgres")) as server:
        await server.sessions.CreateSession(create("kept"))
        line.hold(b'"waits-0"', passes=False)
        calls = [server.sessions.CreateSession(create(f"waits-{number}")) for number in range(20)]
        calls += [server.sessions.ListSessions(sessions.ListSessionsRequest()) for _ in range(20)]
        await line.held.wait()
        go_away(line)
    held, *_ = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(held, grpc.aio.AioRpcError | asyncio.CancelledError)
    line.let_go()


@HOW
async def test_a_run_under_way_does_not_keep_a_server_from_stopping(
    database: Cluster, line: Proxy, go_away: Callable[[Proxy], None]
) -> None:
    """S-R43: nothing of it is left, and the next server ends it."""
    async with stopped_soon(line.url("postgres"), replica_lease=1.0) as server:
        session = await ready(server)
        line.hold(INSERT, passes=True)
        execution = (await submit(server, session, "run")).execution.id
        await line.held.wait()
        go_away(line)
    line.lead(database.socket)
    line.cut()
    line.let_go()
    async with serving(line.url("postgres")) as server:
        assert (await ended(server, execution)).state == execution_pb2.EXECUTION_STATE_INTERRUPTED
    assert await database.count("SELECT count(*) FROM cbus WHERE name LIKE 'N%'") == 0

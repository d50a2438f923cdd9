"""A PostgreSQL that goes away and comes back (D-43): the service says so soon, stays up, and goes on by itself."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from tests.outage.clusters import Cluster
from tests.outage.proxy import Proxy
from tests.outage.serving import PATIENCE, create, healthy, names, recovered, serving, unavailable
from tests.rpc.serving import refused

from sheetgrpc.v1 import session_service_pb2 as sessions

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("end", [Cluster.kill, Cluster.stop], ids=["killed", "stopped"])
async def test_a_database_that_dies_is_missed_at_once_and_taken_back(
    database: Cluster, end: Callable[[Cluster], Awaitable[None]]
) -> None:
    async with serving(database.url()) as server:
        kept = await server.sessions.CreateSession(create("kept"))
        await end(database)
        assert await unavailable(server, "later") == "STORE_UNAVAILABLE"
        read = await refused(server.sessions.GetSession(sessions.GetSessionRequest(session=kept.session.id)))
        assert read.reason == "STORE_UNAVAILABLE"
        assert not await healthy(server)
        await database.start()
        await recovered(server)
        assert (await server.sessions.CreateSession(create("kept"))).session == kept.session
        await server.sessions.CreateSession(create("later"))
        assert await names(server) == ["kept", "later"]


async def test_connections_that_are_cut_while_nobody_uses_them_cost_no_call(database: Cluster, line: Proxy) -> None:
    """What they find broken they take no harm from: nothing was asked on it yet."""
    async with serving(line.url("postgres")) as server:
        await server.sessions.CreateSession(create("first"))
        for number in range(5):
            line.cut()
            assert await healthy(server)
            assert len(await names(server)) == 1 + number
            await server.sessions.CreateSession(create(f"r-{number}"))


@pytest.mark.usefixtures("hasty")
async def test_a_way_that_swallows_everything_is_told_by_health_and_to_callers(database: Cluster, line: Proxy) -> None:
    """No connection breaks and none can be made: patience alone ends the waiting."""
    async with serving(line.url("postgres")) as server:
        kept = await server.sessions.CreateSession(create("kept"))
        line.block()
        assert not await healthy(server)
        request = sessions.GetSessionRequest(session=kept.session.id)
        reads = await asyncio.gather(*(refused(server.sessions.GetSession(request)) for _ in range(15)))
        assert {answer.code for answer in reads} == {grpc.StatusCode.UNAVAILABLE}
        assert not await healthy(server)
        line.let_go()
        await recovered(server)
        assert (await server.sessions.GetSession(request)).session == kept.session
        await server.sessions.CreateSession(create("later"))
        assert await names(server) == ["kept", "later"]


@pytest.mark.usefixtures("hasty")
async def test_a_database_that_stands_still_holds_nobody_for_ever(database: Cluster) -> None:
    """As a machine that swaps, or a virtual one that is moved: sockets are open, and nothing answers."""
    async with serving(database.url()) as server:
        await server.sessions.CreateSession(create("kept"))
        database.freeze()
        try:
            assert not await healthy(server)
            listed = await refused(server.sessions.ListSessions(sessions.ListSessionsRequest()))
            assert listed.code is grpc.StatusCode.UNAVAILABLE
        finally:
            database.thaw()
        await recovered(server)
        assert await names(server) == ["kept"]


async def test_a_server_starts_once_its_database_is_there(database: Cluster) -> None:
    """A start is refused in one line while it is not, and whoever started it tries again."""
    await database.kill()
    with pytest.raises(Exception, match="does not answer; is it running there") as refusal:
        async with serving(database.url()):
            raise AssertionError("it started")
    assert "\n" not in str(refusal.value)
    await database.start()
    async with serving(database.url()) as server:
        assert await healthy(server)


async def test_who_is_gone_without_a_word_is_missed_at_both_ends(database: Cluster, line: Proxy) -> None:
    """The server's system asks after the database, and no frozen server holds rows for longer than a lease."""
    async with serving(line.url("postgres")) as server:
        kept: Any = server.engine.store
        async with kept._writers.connection() as connection:
            near = connection._con._transport.get_extra_info("socket")
            assert near.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert await connection.fetchval("SHOW idle_in_transaction_session_timeout") == "10s"
            assert await connection.fetchval("SHOW lock_timeout") == f"{PATIENCE:.0f}s"

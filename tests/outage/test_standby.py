"""A primary that dies for good, and its synchronous standby in its place: nothing that was acknowledged is lost.

Needs pg_basebackup, which the packages for tests do not have: where no PostgreSQL is installed, this is not tested.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from tests.outage.clusters import Cluster, cluster, standby
from tests.outage.proxy import proxy
from tests.outage.serving import create, ended, healthy, names, ready, recovered, serving, submit
from tests.postgres import NoPostgres

from sheetgrpc.v1 import execution_pb2
from sheetgrpc.v1 import execution_service_pb2 as executions

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLERS, CALLS = 8, 40
# How many answers there are when the primary dies.
MOMENTS = [60, *(pytest.param(at, marks=pytest.mark.soak) for at in range(1, 250, 5))]


@pytest_asyncio.fixture(loop_scope="session")
async def pair(seed: Path) -> AsyncIterator[tuple[Cluster, Cluster]]:
    """A primary and its standby."""
    try:
        async with cluster(seed, wal_level="replica") as primary, standby(primary) as second:
            yield primary, second
    except NoPostgres as missing:
        pytest.skip(f"NOT TESTED ON POSTGRESQL: {missing}")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_after_a_failover_all_that_was_acknowledged_is_there_once(
    pair: tuple[Cluster, Cluster], moment: int
) -> None:
    """The primary dies among many calls. What got no answer is sent again to the standby, and is done once as well."""
    primary, second = pair
    async with proxy(primary.socket) as line, serving(line.url("postgres")) as server:
        run = await ready(server)
        applied = await ended(server, (await submit(server, run, "run")).execution.id)
        acknowledged: dict[str, str] = {}
        enough = asyncio.Event()

        async def call(name: str) -> None:
            answer = await server.sessions.CreateSession(create(name))
            acknowledged[name] = answer.session.id
            if len(acknowledged) == moment:
                enough.set()

        async def caller(number: int) -> list[str]:
            lost: list[str] = []
            for at in range(CALLS):
                try:
                    await call(f"{number}-{at}")
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
                    lost.append(f"{number}-{at}")
            return lost

        calling = [asyncio.create_task(caller(number)) for number in range(CALLERS)]
        await enough.wait()
        await primary.kill()
        line.cut()
        lost = [name for names_lost in await asyncio.gather(*calling) for name in names_lost]
        assert lost
        before = dict(acknowledged)
        line.lead(second.socket)
        assert not await healthy(server)  # a standby takes no writes
        await second.run("SELECT pg_promote()")
        await recovered(server)
        for name in [*before, *lost]:
            await call(name)
        assert {name: acknowledged[name] for name in before} == before
        found = await names(server)
        assert sorted(found) == sorted(["", *acknowledged])
        request = executions.GetExecutionRequest(execution=applied.id)
        assert (await server.executions.GetExecution(request)).execution == applied
        assert applied.state == execution_pb2.EXECUTION_STATE_SUCCEEDED
        assert await second.count("SELECT count(*) FROM cbus WHERE name LIKE 'N%'") == 20


async def test_an_address_of_both_leads_to_whoever_takes_writes(pair: tuple[Cluster, Cluster]) -> None:
    """Nothing has to move an address where the client of the database tries all of them."""
    primary, second = pair
    hosts = f"{second.place.folder},{primary.place.folder}"
    async with serving(f"postgresql://postgres@/postgres?host={hosts}&target_session_attrs=read-write") as server:
        await server.sessions.CreateSession(create("before"))
        await primary.kill()
        assert not await healthy(server)
        await second.run("SELECT pg_promote()")
        await recovered(server)
        await server.sessions.CreateSession(create("after"))
        assert await names(server) == ["before", "after"]

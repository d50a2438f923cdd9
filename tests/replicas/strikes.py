"""What befalls a server in each state of an execution, and what must be true afterwards: whole or nothing, and told so.

Each leaves the cluster as it found it, with the server that was struck up again.
"""

import asyncio
import itertools
import signal
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeAlias

from tests.replicas.cluster import CRATES, SECONDS, SESSION, Cluster, Replica, ended, held, ready, sheet, state

from sheetgrpc.client import Session
from sheetgrpc.v1.execution_pb2 import Execution
from sheetgrpc.v1.execution_service_pb2 import CANCEL_OUTCOME_ALREADY_CANCELLING
from sheetgrpc.v1.session_pb2 import SESSION_STATE_EXECUTED

Strike: TypeAlias = Callable[[Cluster], Awaitable[str]]
_names = itertools.count(1)
_STARTED = "SELECT count(*) FROM sheetgrpc.executions WHERE state = 'RUNNING'"


async def killed_while_queued(servers: Cluster) -> str:
    """Every server has a run that waits; the one that took the submit of one more dies."""
    async with held(servers.url, CRATES) as hold:
        running = [await _submit(servers.replicas[0], 1) for _ in servers.replicas]
        async with asyncio.timeout(SECONDS):
            while await servers.rows(_STARTED) != [len(running)]:
                pass
        struck = servers.replicas[0]
        queued = await _submit(struck, 2)
        await struck.kill()
        await hold.let_go()
    other = servers.other(struck)
    whole = await _check(servers, other, queued, 2, {"SUCCEEDED"})
    for one in running:
        await _check(servers, other, one, 1, {"SUCCEEDED", "INTERRUPTED"})
    await struck.start()
    return whole


async def killed_while_running(servers: Cluster) -> str:
    async with held(servers.url, CRATES) as hold:
        one = await _submit(servers.replicas[0], 3)
        await hold.wanted()
        struck = await _owner(servers, one)
        await struck.kill()
        end = await _end(servers.other(struck), one)  # while its last statement still waits in the database
        assert end == "INTERRUPTED"
    await _check(servers, servers.other(struck), one, 3, {"INTERRUPTED"})
    await struck.start()
    return end


async def killed_while_cancelling(servers: Cluster) -> str:
    """It is rolled back, and dies before it can write that down."""
    async with held(servers.url, CRATES) as crates:
        one = await _submit(servers.replicas[0], 3)
        await crates.wanted()
        struck = await _owner(servers, one)
        async with held(servers.url, SESSION, one.session_id) as hold:
            asked = await struck.client.executions.cancel(one.id)
            assert state(asked.execution) == "CANCELLING"
            await hold.wanted()
            await struck.kill()
    end = await _check(servers, servers.other(struck), one, 3, {"INTERRUPTED", "CANCELLED"})
    await struck.start()
    return end


async def killed_with_a_cancel_on_its_way(servers: Cluster) -> str:
    """Who asked elsewhere was told that it ends CANCELLED, and nobody is left to do it."""
    async with held(servers.url, CRATES) as crates:
        one = await _submit(servers.replicas[0], 3)
        await crates.wanted()
        struck = await _owner(servers, one)
        struck.signal(signal.SIGSTOP)
        other = servers.other(struck)
        asked = await other.client.executions.cancel(one.id)
        assert state(asked.execution) == "CANCELLING"
        assert (await other.client.executions.cancel(one.id)).outcome == CANCEL_OUTCOME_ALREADY_CANCELLING
        await struck.kill()
        ended = await other.client.executions.cancel(one.id, wait=timedelta(seconds=SECONDS))
        assert state(ended.execution) == "CANCELLED"
    end = await _check(servers, other, one, 3, {"CANCELLED"})
    await struck.start()
    return end


async def killed_while_committing(servers: Cluster) -> str:
    """Every row is written and the outcome about to be."""
    one, struck, hold = await _committing(servers)
    await struck.kill()
    await hold.let_go()
    end = await _check(servers, servers.other(struck), one, 3, {"INTERRUPTED"})
    await struck.start()
    return end


async def killed_in_the_commit(servers: Cluster) -> str:
    """The COMMIT is on its way: it goes through, or nothing of it does."""
    async with held(servers.url, "SELECT pg_advisory_xact_lock(7)") as hold:
        one = await _submit(servers.replicas[0], 3, '(seal.ensure :code "{name}")')
        await hold.wanted()
        struck = await _owner(servers, one)
        await struck.kill()
    end = await _check(servers, servers.other(struck), one, 3, {"INTERRUPTED", "SUCCEEDED"})
    await struck.start()
    return end


async def stopped_while_running(servers: Cluster) -> str:
    """A server that sleeps beyond its lease wakes up and finds itself overtaken."""
    async with held(servers.url, CRATES) as hold:
        one = await _submit(servers.replicas[0], 3)
        await hold.wanted()
        struck = await _owner(servers, one)
        struck.signal(signal.SIGSTOP)
        assert await _end(servers.other(struck), one) == "INTERRUPTED"
    return await _wake(servers, struck, one)


async def stopped_while_committing(servers: Cluster) -> str:
    """It sleeps with rows and the session locked, which is in everybody's way."""
    one, struck, hold = await _committing(servers)
    struck.signal(signal.SIGSTOP)
    await hold.let_go()
    assert await _end(servers.other(struck), one) == "INTERRUPTED"
    return await _wake(servers, struck, one)


STRIKES: Mapping[str, Strike] = {
    strike.__name__: strike
    for strike in (
        killed_while_queued,
        killed_while_running,
        killed_while_cancelling,
        killed_with_a_cancel_on_its_way,
        killed_while_committing,
        killed_in_the_commit,
        stopped_while_running,
        stopped_while_committing,
    )
}


async def _submit(replica: Replica, count: int, more: str = "") -> Execution:
    """An execution whose crates are named by its session's."""
    name = f"n{next(_names)}-"
    session = await ready(replica.client, sheet(count, name) + more.format(name=name))
    await session.update(name=name)
    return await session.submit_sheet(confirm=True)


async def _owner(servers: Cluster, execution: Execution) -> Replica:
    (name,) = await servers.rows("SELECT replica FROM sheetgrpc.executions WHERE id = $1", execution.id)
    return servers.named(name)


async def _committing(servers: Cluster) -> tuple[Execution, Replica, Any]:
    """An execution that has written everything and waits for its session; who runs it; what it waits for."""
    async with held(servers.url, CRATES) as crates:
        one = await _submit(servers.replicas[0], 3)
        await crates.wanted()
        struck = await _owner(servers, one)
        hold = held(servers.url, SESSION, one.session_id)
        kept = await hold.__aenter__()
    await kept.wanted()
    assert state(await struck.client.executions.get(one.id)) == "COMMITTING"
    return one, struck, kept


async def _end(replica: Replica, execution: Execution) -> str:
    return state(await ended(replica.client, execution.id))


async def _wake(servers: Cluster, struck: Replica, one: Execution) -> str:
    """The sleeper goes on, and does nothing more for what it had."""
    struck.signal(signal.SIGCONT)
    after = await _submit(struck, 1)
    assert await _end(struck, after) == "SUCCEEDED"
    assert await _end(struck, one) == "INTERRUPTED"
    return await _check(servers, struck, one, 3, {"INTERRUPTED"})


async def _check(servers: Cluster, replica: Replica, one: Execution, count: int, allowed: set[str]) -> str:
    """It has ended so, all of it is there or nothing, and its session goes on."""
    end = await _end(replica, one)
    assert end in allowed
    session: Session = await replica.client.sessions.get(one.session_id)
    assert (session.now.state, session.now.last_execution_id) == (SESSION_STATE_EXECUTED, one.id)
    assert session.now.last_execution_succeeded is (end == "SUCCEEDED")
    assert session.now.version == session.now.event_count
    found = await servers.rows("SELECT count(*) FROM lids WHERE crate LIKE $1 || '%'", session.now.name)
    assert found == [count if end == "SUCCEEDED" else 0]
    if end != "SUCCEEDED":
        await session.parse_sheet()
        again = await session.submit_sheet(confirm=True)
        assert await _end(replica, again) == "SUCCEEDED"
        found = await servers.rows("SELECT count(*) FROM lids WHERE crate LIKE $1 || '%'", session.now.name)
        assert found == [count]
    return end

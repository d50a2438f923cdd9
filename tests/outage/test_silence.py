"""A PostgreSQL that says nothing any more, at the store: whatever waits for it has an end, and gives its place back."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from tests.outage.clusters import Cluster
from tests.outage.proxy import Proxy
from tests.outage.serving import PATIENCE, SOON

from sheetgrpc.errors import Reason, Unavailable
from sheetgrpc.store.leases import ProgressRow
from sheetgrpc.store.postgres import store as stores
from sheetgrpc.store.postgres.leases import CONNECTIONS, PostgresLeases
from sheetgrpc.store.postgres.store import PostgresStore, open_postgres
from sheetgrpc.store.tasks import TaskKey

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("hasty")]

LEASES: dict[str, Callable[[PostgresLeases], Awaitable[object]]] = {
    "renew": lambda leases: leases.renew(["x"]),
    "lapsed": lambda leases: leases.lapsed(1),
    "tell": lambda leases: leases.tell(ProgressRow("x", 1, 1, b"")),
    "told": lambda leases: leases.told({"x": (1, 0)}),
    "executions": lambda leases: leases.executions(["x"]),
    "versions": lambda leases: leases.versions(["x"]),
    "clear": lambda leases: leases.clear(60.0, 1),
    "listen": lambda leases: leases.listen(lambda _: None),
}
STEPS = {
    "a session": lambda transaction: transaction.open("s", None),
    "a task": lambda transaction: transaction.open_task("t", TaskKey("", "")),
}


@pytest_asyncio.fixture(loop_scope="session")
async def store(database: Cluster, line: Proxy) -> AsyncIterator[PostgresStore]:
    """A store whose way to the database can be blocked and cut."""
    async with AsyncExitStack() as stack:
        opened = await open_postgres(line.url("postgres"), writer_timeout=PATIENCE, replica="r", lease=2.0)
        stack.push_async_callback(opened.close)
        stack.callback(line.let_go)
        yield opened


def leases_of(store: PostgresStore) -> PostgresLeases:
    assert store.leases is not None
    return store.leases


async def unanswered(work: Awaitable[object]) -> None:
    """It is refused, and soon."""
    began = time.monotonic()
    with pytest.raises(Unavailable) as refusal:
        await work
    assert refusal.value.reason is Reason.STORE_UNAVAILABLE
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("call", LEASES.values(), ids=LEASES)
async def test_no_call_about_leases_waits_for_ever(
    store: PostgresStore, line: Proxy, call: Callable[[PostgresLeases], Awaitable[object]]
) -> None:
    leases = leases_of(store)
    await leases.versions([])  # there is a connection, and it is not broken
    line.block()
    await asyncio.gather(*(unanswered(call(leases)) for _ in range(CONNECTIONS)))
    line.let_go()
    assert await leases.versions(["x"]) == {}


async def test_an_eviction_that_is_not_answered_holds_nobody(store: PostgresStore, line: Proxy) -> None:
    """It may fail: the database ends what its owner does not go on with."""
    leases = leases_of(store)
    await leases.versions([])
    line.block()
    async with asyncio.timeout(SOON):
        await leases.evict("another")


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
async def test_no_command_waits_for_ever_for_its_first_answer(
    store: PostgresStore, line: Proxy, step: Callable[[object], Awaitable[object]]
) -> None:
    async def command() -> None:
        async with store.begin() as transaction:
            await step(transaction)

    await store.run_script("SELECT 1")
    line.block()
    await unanswered(command())
    line.let_go()
    await store.run_script("SELECT 1")


async def test_no_statement_of_a_run_waits_for_longer_than_one_may_take(database: Cluster, line: Proxy) -> None:
    """The database stops it by itself, unless it stands still: then it is given up soon after."""
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stores, "ANSWER_SECONDS", 1.0)
            patch.setattr("sheetgrpc.store.postgres.connection._STOPPING_SECONDS", 0.5)
            opened = await open_postgres(line.url("postgres"), writer_timeout=PATIENCE, query_timeout=0.5)
        stack.push_async_callback(opened.close)
        stack.callback(line.let_go)

        async def run() -> None:
            async with opened.begin() as transaction:
                await transaction.execute(lambda connection: connection.execute("SELECT 1"))
                line.block()
                await transaction.execute(lambda connection: connection.execute("SELECT 2"))

        await unanswered(run())


async def test_who_listens_can_be_stopped_when_the_connection_is_gone(
    store: PostgresStore, database: Cluster, line: Proxy
) -> None:
    """That it cannot be closed any more hides no cancel."""
    leases = leases_of(store)
    heard = asyncio.Event()
    listening = asyncio.create_task(leases.listen(lambda _: heard.set()))
    gone = await _listened(database, store, heard)
    line.lead("/nowhere")
    line.cut()
    await gone.wait()
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    line.lead(database.socket)


async def test_a_store_that_is_abandoned_lets_everybody_go_at_once(store: PostgresStore, line: Proxy) -> None:
    """Whatever they wait for: an answer, a commit, or the way to the database."""
    running = await unanswered_command(store, line)
    waiting = [running, *(asyncio.create_task(store.session("x")) for _ in range(3))]
    await asyncio.sleep(0)
    store.abandon()
    began = time.monotonic()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert time.monotonic() - began < SOON
    assert {type(one) for one in ended} == {Unavailable}
    await unanswered_close(store)


async def test_a_store_closes_although_the_database_stands_still(store: PostgresStore, line: Proxy) -> None:
    running = await unanswered_command(store, line)
    await unanswered_close(store)
    with pytest.raises(Unavailable):
        await running


async def unanswered_command(store: PostgresStore, line: Proxy) -> asyncio.Task[None]:
    """A transaction under way whose database says nothing any more."""
    inside = asyncio.Event()

    async def run() -> None:
        async with store.begin() as transaction:
            await transaction.execute(lambda connection: connection.execute("SELECT 1"))
            line.block()
            inside.set()
            await transaction.execute(lambda connection: connection.execute("SELECT 2"))

    running = asyncio.create_task(run())
    await inside.wait()
    return running


async def unanswered_close(store: PostgresStore) -> None:
    began = time.monotonic()
    await store.close()
    assert time.monotonic() - began < SOON


async def _listened(database: Cluster, store: PostgresStore, heard: asyncio.Event) -> asyncio.Event:
    """Answers once somebody listens, with what is set when that connection is gone."""
    gone = asyncio.Event()
    async with asyncio.timeout(SOON):
        while not heard.is_set():
            await database.run("NOTIFY sheetgrpc, 'another hint'")
    (listening,) = (one._con for one in store._pools[2]._pool._holders if one._con is not None and not one.is_idle())
    listening.add_termination_listener(lambda _: gone.set())
    return gone

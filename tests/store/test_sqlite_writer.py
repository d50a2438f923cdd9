"""SQLite's one writer: who waits for it, what interrupts it, what is left when callers go away or it fails."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextvars import Context, ContextVar
from functools import partial
from pathlib import Path

import pytest
from tests.store.making import Made

from sheetgrpc.catalog.model import Entity, Key
from sheetgrpc.errors import Reason, Unavailable
from sheetgrpc.store.base import Interrupted
from sheetgrpc.store.sqlite.store import SQLiteStore

THING = Entity("thing", "things", Key("id"))
SCHEMA = """
CREATE TABLE things (id text PRIMARY KEY, parent text REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE fragile (id text);
CREATE TRIGGER fragile_rolls_back BEFORE INSERT ON fragile
BEGIN
    SELECT RAISE(ROLLBACK, 'no');
END;
"""
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT reached() UNION ALL SELECT i FROM n) SELECT count(*) FROM n"


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db" if request.param == "file" else "sqlite:///:memory:"


@pytest.fixture(autouse=True)
async def tables(store: SQLiteStore) -> None:
    await store.run_script(SCHEMA)


def insert(thing: str, parent: str | None = None, table: str = "things") -> Callable[[sqlite3.Connection], None]:
    """What a batch of a plan does, in short."""

    def execute(connection: sqlite3.Connection) -> None:
        names = "id, parent" if table == "things" else "id"
        values = (thing, parent) if table == "things" else (thing,)
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(values))})", values)

    return execute


def nothing(_connection: sqlite3.Connection) -> None:
    """Begins, and that is all."""


async def things(store: SQLiteStore) -> list[str | int]:
    return await store.keys(THING, {}, 10)


async def test_waiting_too_long_for_the_writer_is_busy(store: SQLiteStore) -> None:
    async with store.begin():
        with pytest.raises(Unavailable) as refused:
            async with store.begin():
                pytest.fail("two writers at once")
    assert refused.value.reason is Reason.STORE_BUSY
    assert refused.value.retry_after
    async with store.begin() as transaction:
        await transaction.open(None, None)


async def test_another_program_that_writes_makes_the_store_busy(store: SQLiteStore, made: Made) -> None:
    (path,) = await store._read(
        lambda connection: connection.execute("SELECT file FROM pragma_database_list").fetchone()
    )
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    session = made.session()
    async with store.begin() as transaction:
        assert (await transaction.open(None, None)).row is None  # reads wait for nobody
        with pytest.raises(Unavailable) as refused:
            await transaction.commit(made.created(session))
        assert refused.value.reason is Reason.STORE_BUSY
        other.execute("ROLLBACK")
        await transaction.commit(made.created(session))
    assert (await store.session(session.id)).session == session
    other.close()


async def test_nothing_is_written_after_the_database_ended_the_transaction(store: SQLiteStore, made: Made) -> None:
    session = made.session()
    async with store.begin() as transaction:
        await transaction._run(insert("a"))
        with pytest.raises(sqlite3.IntegrityError):
            await transaction._run(insert("b", table="fragile"))
        with pytest.raises(Interrupted):
            await transaction._run(insert("c"))
        with pytest.raises(Interrupted):
            await transaction.commit(made.created(session))
    assert await things(store) == []


class Stall:
    """A statement on the writer that runs until it is let go: SQL's `reached()` waits, once it was reached."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.begun = asyncio.Event()
        self.release = threading.Event()
        self._loop = loop

    def reached(self) -> int:
        self._loop.call_soon_threadsafe(self.begun.set)
        self.release.wait()
        return 1

    def run(self, connection: sqlite3.Connection, query: str = "SELECT reached()") -> object:
        connection.create_function("reached", 0, self.reached)
        return connection.execute(query).fetchone()


@pytest.fixture
async def stall() -> AsyncIterator[Stall]:
    stall = Stall(asyncio.get_running_loop())
    yield stall
    stall.release.set()


async def test_interrupt_fails_the_running_statement(store: SQLiteStore, stall: Stall) -> None:
    async with store.begin() as transaction:
        await transaction._run(insert("a"))
        running = asyncio.create_task(transaction._run(stall.run, ENDLESS))
        await stall.begun.wait()
        transaction.interrupt()
        stall.release.set()
        with pytest.raises(Interrupted):
            await running
    assert await things(store) == []


async def test_interrupt_of_a_finished_transaction_hits_nobody_else(store: SQLiteStore, stall: Stall) -> None:
    async with store.begin() as first:
        await first.open(None, None)
    async with store.begin() as second:
        running = asyncio.create_task(second._run(stall.run))
        await stall.begun.wait()
        first.interrupt()
        stall.release.set()
        assert await running == (1,)


async def free(store: SQLiteStore) -> None:
    """Nobody holds the writer and no transaction is open."""
    async with asyncio.timeout(5), store.begin() as transaction:
        assert not await store._writer.run(lambda connection: connection.in_transaction)
        await transaction._run(nothing)


async def cancel_while_stalled(store: SQLiteStore, stall: Stall, task: "asyncio.Task[None]") -> None:
    """Cancels the task, twice, while its call waits behind the stalled one on the writer's thread."""
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
    stall.release.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    await free(store)


async def block(store: SQLiteStore, stall: Stall) -> "asyncio.Task[object]":
    """Keeps the writer's thread busy."""
    task = asyncio.create_task(store._writer.run(stall.run))
    await stall.begun.wait()
    return task


async def test_cancelled_while_waiting_for_the_writer_leaves_it_free(store: SQLiteStore) -> None:
    async def command() -> None:
        async with store.begin():
            pytest.fail("two writers at once")

    async with store.begin():
        task = asyncio.create_task(command())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await free(store)


async def test_cancelled_while_beginning_leaves_no_transaction(store: SQLiteStore, stall: Stall) -> None:
    async def command() -> None:
        async with store.begin() as transaction:
            await transaction._run(nothing)

    blocked = await block(store, stall)
    task = asyncio.create_task(command())
    await asyncio.sleep(0)
    await cancel_while_stalled(store, stall, task)
    await blocked


@pytest.mark.parametrize("committing", [True, False])
async def test_cancelled_late_is_whole_or_nothing(
    store: SQLiteStore, made: Made, stall: Stall, *, committing: bool
) -> None:
    """A commit that was sent is carried out, and known of; a transaction that was left is rolled back."""
    session = made.session()
    ready = asyncio.Event()
    transaction = store.begin()._transaction

    async def command() -> None:
        nonlocal transaction
        async with store.begin() as transaction:
            await transaction._run(insert("a"))
            await block(store, stall)
            ready.set()
            if committing:
                await transaction.commit(made.created(session))

    task = asyncio.create_task(command())
    await ready.wait()
    await cancel_while_stalled(store, stall, task)
    assert await things(store) == (["a"] if committing else [])
    assert transaction.committed is committing


async def test_cancelled_reader_waits_for_its_thread(store: SQLiteStore, stall: Stall) -> None:
    reading = asyncio.create_task(store._read(stall.run))
    await stall.begun.wait()
    reading.cancel()
    await asyncio.sleep(0)
    assert not reading.done()
    stall.release.set()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert [reader.waiting for reader in store._readers] == [0, 0, 0]


async def test_all_who_wait_for_one_answer_get_it(store: SQLiteStore, stall: Stall) -> None:
    """The first in the turn of the loop that brings it; who has stopped waiting is not called."""
    told: list[str] = []
    mark: ContextVar[str] = ContextVar("mark", default="")
    answer = store._readers[0]._put(partial(stall.run, store._readers[0]._connected()))

    def tell(name: str) -> Callable[[object], None]:
        return lambda _: told.append(name + mark.get())

    left = tell("left")
    answer.add_done_callback(left)
    assert answer.remove_done_callback(left) == 1
    token = mark.set(" in its context")
    answer.add_done_callback(tell("first"))
    mark.reset(token)
    answer.add_done_callback(tell("second"))
    assert answer.remove_done_callback(left) == 0
    asked = asyncio.get_running_loop().create_future()
    answer.add_done_callback(lambda _: asked.set_result(None))
    stall.release.set()
    await asyncio.gather(asked, asyncio.wait([answer]), asyncio.shield(answer))
    assert told == ["first in its context", "second"]
    assert answer.remove_done_callback(left) == 0


async def test_a_task_that_waits_goes_on_in_its_own_context_though_that_is_empty(store: SQLiteStore) -> None:
    """An empty one is false; in a copy of it, what the task sets would be gone after its next wait."""
    mark: ContextVar[str] = ContextVar("mark")

    async def wait() -> str:
        await store._read(nothing)
        mark.set("kept")
        await asyncio.sleep(0)
        return mark.get("lost")

    assert await asyncio.create_task(wait(), context=Context()) == "kept"

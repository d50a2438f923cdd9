"""What is about PostgreSQL itself: starting, locking, giving way, losing the connection, its own SQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import msgspec
import pytest
from tests.postgres import Server, run
from tests.store.making import Commit, Made, add

from sheetgrpc.errors import Reason, Unavailable
from sheetgrpc.session.events import ScopeCleared
from sheetgrpc.session.model import Session
from sheetgrpc.store.base import Interrupted, Store, StoreRefused
from sheetgrpc.store.opening import open_store
from sheetgrpc.store.postgres import migrations
from sheetgrpc.store.queries import load_migrations, load_queries
from sheetgrpc.store.records import Changes, ExecutionFilter, Moved

THINGS = "CREATE TABLE things (id text PRIMARY KEY, parent text)"


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
async def beside(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Another program's connection."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def until(connection: "asyncpg.Connection[asyncpg.Record]", query: str) -> object:
    """The first answer of `query` that is something: what another connection does shows here."""
    async with asyncio.timeout(20):
        while (found := await connection.fetchval(query)) is None:
            pass
    return found


ACTIVE = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '{}%'"
WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def changed(session: Session, **fields: object) -> Changes:
    after, events = _version(session, **fields)
    return Changes(session=after, events=events)


def _version(session: Session, **fields: object) -> tuple[Session, tuple[ScopeCleared]]:
    return msgspec.structs.replace(session, version=session.version + 1, **fields), (ScopeCleared(at=1),)


async def test_servers_that_start_at_once_migrate_once(postgres_server: Server) -> None:
    url = await postgres_server.fresh()
    stores = await asyncio.gather(*(open_store(url) for _ in range(6)))
    assert len({store.about.incarnation for store in stores}) == 1
    assert {store.about.kind for store in stores} == {"postgresql"}
    assert await stores[0]._read(lambda c: c.fetchval("SELECT count(*) FROM sheetgrpc.migrations")) == len(
        load_migrations("postgres")
    )
    await asyncio.gather(*(store.close() for store in stores))
    await postgres_server.drop(url)


async def test_database_of_a_newer_program_is_refused(url: str) -> None:
    await run(url, "INSERT INTO sheetgrpc.migrations VALUES (99999, 'x', 1)")
    with pytest.raises(StoreRefused, match="start a newer one"):
        await open_store(url)


async def test_tables_without_a_record_are_refused(postgres_server: Server) -> None:
    url = await postgres_server.fresh()
    await run(url, "CREATE SCHEMA sheetgrpc; CREATE TABLE sheetgrpc.sessions (id text)")
    with pytest.raises(StoreRefused, match="no record of their version"):
        await open_store(url)
    await postgres_server.drop(url)


async def test_old_server_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MINIMUM", 990_000)
    with pytest.raises(StoreRefused, match="too old"):
        await open_store(url)


@pytest.mark.parametrize("url", [
    "postgresql://user:geheim@127.0.0.1:1/x", "postgresql://user@127.0.0.1:1/x?password=geheim&sslmode=disable",
    "postgresql://user:geheim@127.0.0.1:port/x",
])  # fmt: skip
async def test_database_that_cannot_be_reached_is_named_without_its_password(url: str) -> None:
    with pytest.raises(StoreRefused, match=r"127\.0\.0\.1") as refused:
        await open_store(url)
    assert "geheim" not in str(refused.value)


async def test_command_waits_for_a_session_that_another_holds_and_no_longer(store: Store, made: Made) -> None:
    session, other = made.session(), made.session()
    for one in (session, other):
        async with store.begin() as transaction:
            await transaction.commit(made.created(one))
    async with store.begin() as first:
        await first.open(session.id, None)
        async with store.begin() as second:
            with pytest.raises(Unavailable) as refused:
                await second.open(session.id, None)
            assert refused.value.reason is Reason.STORE_BUSY
            assert (await second.open(other.id, None)).row is not None  # it may begin again, and others are free
        assert (await store.session(session.id)).session == session  # readers never wait
        await first.commit(changed(session))


@pytest.mark.parametrize("held", [False, True])
async def test_who_wants_a_label_waits_for_whoever_is_about_to_have_it(
    store: Store, made: Made, commit: Commit, beside: "asyncpg.Connection[asyncpg.Record]", held: bool
) -> None:
    """Whether anybody had it before or not: the one who waited then knows whom it is taken from (D-4)."""
    first, second, third = made.session(), made.session(), made.session(labels=("wanted",) if held else ())
    for session in (first, second, third):
        await commit(made.created(session))
    async with store.begin() as one, store.begin() as other:
        opened = await one.open(first.id, None, "wanted")
        assert opened.holder is not None
        assert opened.holder.session.id == (third.id if held else first.id)
        waiting = asyncio.create_task(other.open(second.id, None, "wanted"))
        await until(beside, WAITING)
        changes = changed(first, labels=("wanted",))
        if held:
            changes.loser = Moved(*_version(third, labels=()))
        await one.commit(changes)
        found = await waiting
        assert found.holder is not None
        assert found.holder.session.labels == ("wanted",)
        assert found.holder.session.id == first.id
    assert (await store.session("wanted")).session.id == first.id


async def test_waiting_too_long_for_a_connection_is_busy(url: str) -> None:
    store = await open_store(url, writer_timeout=0.05, pool_size=2)
    async with AsyncExitStack() as held:
        for _ in range(2):
            await held.enter_async_context(store.begin())
        with pytest.raises(Unavailable) as refused:
            await held.enter_async_context(store.begin())
        assert refused.value.reason is Reason.STORE_BUSY
    async with store.begin() as transaction:
        await transaction.open(None, None)
    await store.close()


async def test_interrupt_stops_the_running_statement_and_no_other(
    store: Store, beside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with store.begin() as transaction, store.begin() as neighbour:
        running = asyncio.create_task(transaction.execute(lambda c: c.execute("SELECT pg_sleep(600)")))
        await until(beside, ACTIVE.format("SELECT pg_sleep"))
        transaction.interrupt()
        with pytest.raises(Interrupted):
            await running
        with pytest.raises(Interrupted):
            await transaction.execute(lambda c: c.execute("SELECT 1"))  # the server refuses the rest itself
        await neighbour.open(None, None)
    async with store.begin() as transaction:
        transaction.interrupt()
        await transaction.open(None, None)


async def test_interrupt_of_a_statement_that_has_not_begun_is_none_of_its_callers(store: Store) -> None:
    """The caller asked, and the loop has not come to the connection's task yet; it must not look cancelled itself."""
    async with store.begin() as transaction:
        running = asyncio.create_task(transaction.execute(lambda c: c.execute("SELECT pg_sleep(600)")))
        asyncio.get_running_loop().call_soon(transaction.interrupt)
        with pytest.raises(Interrupted):
            await running


async def test_command_that_made_way_in_a_deadlock_is_done_again(
    url: str, made: Made, beside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    store = await open_store(url)
    session = made.session(labels=("l",))
    async with store.begin() as transaction:
        await transaction.commit(made.created(session))
    async with store.begin() as transaction:
        await transaction.open(session.id, None)
        await beside.execute("SET deadlock_timeout = '60s'; BEGIN; UPDATE sheetgrpc.labels SET label = label")
        theirs = asyncio.create_task(beside.execute("SELECT 1 FROM sheetgrpc.sessions FOR UPDATE"))
        reader = await asyncpg.connect(url)
        await until(reader, WAITING)
        ours = asyncio.create_task(transaction.commit(changed(session, labels=())))
        await theirs  # ours was undone, or they would wait for ever
        await beside.execute("ROLLBACK")
        await ours
    assert (await store.session(session.id)).session.labels == ()
    assert [row.sequence for row in await store.events(session.id, 0, 9)] == [1, 2]
    await reader.close()
    await store.close()


async def test_run_that_made_way_is_told_to_come_back(url: str, beside: "asyncpg.Connection[asyncpg.Record]") -> None:
    store = await open_store(url)
    await store.run_script(THINGS + "; INSERT INTO things VALUES ('a'), ('b')")
    async with store.begin() as transaction:
        await transaction.execute(lambda c: c.execute("UPDATE things SET parent = 'x' WHERE id = 'a'"))
        await beside.execute("SET deadlock_timeout = '60s'; BEGIN; UPDATE things SET parent = 'y' WHERE id = 'b'")
        theirs = asyncio.create_task(beside.execute("UPDATE things SET parent = 'y' WHERE id = 'a'"))
        reader = await asyncpg.connect(url)
        await until(reader, WAITING)
        with pytest.raises(Unavailable) as refused:
            await transaction.execute(lambda c: c.execute("UPDATE things SET parent = 'x' WHERE id = 'b'"))
        assert refused.value.reason is Reason.STORE_BUSY
    await theirs
    await beside.execute("COMMIT")
    assert await beside.fetch("SELECT DISTINCT parent FROM things") == [("y",)]
    await reader.close()
    await store.close()


async def test_connection_lost_while_committing_leaves_the_outcome_unknown(
    store: Store, made: Made, beside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await store.run_script(
        f"{THINGS}; CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END';"
        "CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON things DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION wait()"
    )
    session = made.session()
    async with store.begin() as transaction:
        await add(transaction, "a")
        committing = asyncio.create_task(transaction.commit(made.created(session)))
        pid = await until(beside, ACTIVE.format("COMMIT"))
        transaction.interrupt()  # too late for that: nothing happens
        await beside.execute(f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(Unavailable) as refused:
            await committing
    assert refused.value.reason is Reason.OUTCOME_UNKNOWN
    async with store.begin() as transaction:
        assert (await transaction.open(session.id, None)).row is None


async def test_connection_lost_in_a_run_is_an_absent_database_and_the_next_one_works(
    store: Store, beside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with store.begin() as transaction:
        running = asyncio.create_task(transaction.execute(lambda c: c.execute("SELECT pg_sleep(600)")))
        pid = await until(beside, ACTIVE.format("SELECT pg_sleep"))
        await beside.execute(f"SELECT pg_terminate_backend({pid})")
        with pytest.raises(Unavailable) as refused:
            await running
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    await beside.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sheetgrpc'")
    async with store.begin() as transaction:
        assert (await transaction.open(None, None)).row is None
    assert await store.executions(ExecutionFilter(), 1, None) == []


@pytest.mark.parametrize("name", sorted(load_queries("postgres").keys() - {"create_record"}))
async def test_query_is_sound_and_says_what_it_is_for(name: str, beside: "asyncpg.Connection[asyncpg.Record]") -> None:
    text = load_queries("postgres")[name]
    assert text.startswith("-- ")
    await beside.prepare(text)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE sheetgrpc.events SET body = ''",
        "INSERT INTO sheetgrpc.events VALUES ('{id}', 0, 'x', '')",
        "INSERT INTO sheetgrpc.events VALUES ('{id}', 1, 'x', '')",
        "UPDATE sheetgrpc.sessions SET state = 'NOWHERE'",
        "UPDATE sheetgrpc.sessions SET state = 'EXECUTING'",
        "UPDATE sheetgrpc.sessions SET version = 0",
        "UPDATE sheetgrpc.sessions SET id = lower(id)",
        "INSERT INTO sheetgrpc.labels VALUES ('l', 'nobody')",
    ],
)
async def test_database_holds_the_invariants_itself(
    store: Store, made: Made, sql: str, beside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    session = made.session()
    async with store.begin() as transaction:
        await transaction.commit(made.created(session))
    with pytest.raises((asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError)):
        await beside.execute(sql.format(id=session.id))

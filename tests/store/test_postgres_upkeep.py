"""What upkeep is on PostgreSQL alone: it shares the database with commands, and asks by index whatever there is."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from tests.postgres import Server, run
from tests.store.making import Commit, Made
from tests.store.test_postgres import WAITING, until
from tests.store.test_upkeep import ended

from sheetgrpc.errors import Reason, Unavailable
from sheetgrpc.session.model import Client
from sheetgrpc.store.base import Store
from sheetgrpc.store.opening import open_store
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.records import Changes

INDEXES = {
    "sessions": "sessions_by_age",
    "sessions_by_role": "sessions_by_role",
    "sessions_by_client_name": "sessions_by_client_name",
    "sessions_by_client_target": "sessions_by_client_target",
    "sessions_by_task": "sessions_by_task",
    "sessions_by_parent": "sessions_by_parent",
    "sessions_by_label": "sessions_pkey",
    "due_leases": "sessions_by_lease",
    "due_retentions": "sessions_by_activity",
    "due_tombstones": "sessions_by_end",
    "long_logs": "sessions_with_long_logs",
}
LISTED = "'9000000000000000000', '', '{}', '{}', 'x', 'x', 'x', 'x', 50, 0, 'x', 'x', NULL"
ASKED = {"due_leases": "1, 0, 9", "due_retentions": "1, 9", "due_tombstones": "1, 9", "long_logs": "100, '', 9"}
MANY = """
INSERT INTO sheetgrpc.sessions (
    id, created_at, state, lifecycle, version, active_at, lease, body,
    role, task_id, parent_id, client_name, client_target
)
SELECT lpad(n::text, 26, '0'), n, 'EMPTY', 'PENDING', 1, n, 1000000, '', kind, kind, kind, kind, kind
FROM generate_series(1, 20000) AS n, LATERAL (SELECT (n % {kinds})::text AS kind) AS k;
ANALYZE sheetgrpc.sessions;
"""


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
async def beside(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Another program's connection."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def test_a_purge_that_waited_for_a_fork_sees_it(
    store: Store, commit: Commit, made: Made, beside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    parent = made.session()
    await commit(made.created(parent))
    await commit(ended(parent, 500))
    async with store.begin() as forking:
        await forking.open(parent.id, None)
        purge = asyncio.create_task(store.upkeep.purge(parent.id, 500))
        await until(beside, WAITING)
        await forking.commit(made.created(made.session(parent_id=parent.id)))
    assert not await purge
    assert await store.upkeep.tombstones_due(before=500, limit=9) == []


async def test_a_fork_that_waited_for_a_purge_finds_no_parent(
    store: Store, commit: Commit, made: Made, beside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    parent = made.session()
    await commit(made.created(parent))
    await commit(ended(parent, 500))
    async with beside.transaction(), store.begin() as forking:
        await beside.execute("UPDATE sheetgrpc.sessions SET purged = true WHERE id = $1", parent.id)
        opened = asyncio.create_task(forking.open(parent.id, None))
        async with asyncio.timeout(20):
            while await beside.fetchval(WAITING) is None:
                pass
        await beside.execute("COMMIT")
        assert (await opened).row is None
        await beside.execute("BEGIN")


async def test_a_sign_of_life_waits_for_a_command_that_has_the_session(
    store: Store, commit: Commit, made: Made, beside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    session = made.session(created_at=100)
    await commit(made.created(session))
    async with store.begin() as command:
        await command.open(session.id, None)
        touch = asyncio.create_task(store.upkeep.touch({session.id: 200}, now=300))
        await until(beside, WAITING)
        await command.commit(Changes(session=session, events=(), active_at=300))
    await touch
    assert (await store.session(session.id)).active_at == 300


async def test_upkeep_that_waits_too_long_is_busy(store: Store, commit: Commit, made: Made) -> None:
    session = made.session(created_at=100)
    await commit(made.created(session))
    async with store.begin() as command:
        await command.open(session.id, None)
        with pytest.raises(Unavailable) as refused:
            await store.upkeep.touch({session.id: 200}, now=300)
    assert refused.value.reason is Reason.STORE_BUSY
    await store.upkeep.touch({session.id: 200}, now=300)
    assert (await store.session(session.id)).active_at == 200


@pytest.mark.parametrize("kinds", [2, 999])
@pytest.mark.parametrize("name", INDEXES)
async def test_a_list_and_a_sweep_read_an_index(
    name: str, kinds: int, beside: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    """With a plan for any values; only where few sessions match may they be sorted."""
    await beside.execute(MANY.format(kinds=kinds))
    await beside.execute("SET plan_cache_mode = force_generic_plan")
    await beside.execute(f"PREPARE asked AS {load_queries('postgres')[name]}")
    rows = await beside.fetch(f"EXPLAIN EXECUTE asked ({ASKED.get(name, LISTED)})")
    plan = "\n".join(line for (line,) in rows)
    few = kinds > 2 or name in ("sessions_by_label", "due_leases")
    assert INDEXES[name] in plan or (not few and "sessions_by_age" in plan), plan
    assert "Seq Scan on sessions" not in plan, plan
    assert few or "Sort" not in plan, plan


async def test_what_a_sweep_reads_of_purged_sessions_is_bounded(store: Store, commit: Commit, made: Made) -> None:
    """A piece is of one table, whoever left it."""
    for _ in range(2):
        session = made.session(client=Client("x"))
        sheet = made.sheet(session)
        await commit(made.created(session, sheet=sheet))
        await commit(ended(session, 500))
        assert await store.upkeep.purge(session.id, 500)
    pieces = []
    while done := await store.upkeep.clear(100):
        pieces.append(done)
    assert pieces == [1, 2, 1] * 2, "a sheet, two events, a session"


async def test_a_database_that_was_replaced_or_is_gone_does_not_pass_a_check(postgres_server: Server) -> None:
    url = await postgres_server.fresh()
    store = await open_store(url)
    await store.check()
    for harm in ("UPDATE sheetgrpc.meta SET value = 'other'", "DROP SCHEMA sheetgrpc CASCADE"):
        await run(url, harm)
        with pytest.raises(Unavailable) as refused:
            await store.check()
        assert refused.value.reason is Reason.STORE_UNAVAILABLE
    await postgres_server.drop(url)
    with pytest.raises(Unavailable):
        await store.check()
    await store.close()

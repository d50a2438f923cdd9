"""What is SQLite's own: the URL, the lock, the file, the schema's migrations, the queries."""

# ruff: noqa: ASYNC220, ASYNC240  # the tests look at files that nobody else waits for

import asyncio
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store.making import Made

import sheetgrpc.store
from sheetgrpc.errors import Reason, Unavailable
from sheetgrpc.store.base import StoreRefused
from sheetgrpc.store.opening import open_store
from sheetgrpc.store.queries import Migration, load_migrations, load_queries, statements
from sheetgrpc.store.records import ExecutionFilter
from sheetgrpc.store.sqlite.migrations import migrate
from sheetgrpc.store.sqlite.store import SQLiteStore, open_sqlite

NEWEST = load_migrations("sqlite")[-1].version


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a file?with #odd%20 name.db"


async def opened(path: Path) -> SQLiteStore:
    return await open_sqlite(str(path), writer_timeout=1, busy_timeout=1)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://localhost/x", 'no database of kind "mysql"; give sqlite:///PATH'),
        ("x.db", 'no database of kind "x.db"'),
        ("sqlite://x.db", "four slashes"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:////no/such/place/x.db", 'no directory "/no/such/place"'),
        ("sqlite:////proc", "cannot be opened as a database"),
    ],
)
async def test_bad_url_is_refused_with_what_to_do(url: str, told: str) -> None:
    with pytest.raises(StoreRefused) as refused:
        await open_store(url)
    assert told in str(refused.value)


async def test_relative_path_has_three_slashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await (await open_store("sqlite:///x.db")).close()
    await (await open_store(f"sqlite:///{tmp_path}/y.db")).close()
    assert {"x.db", "y.db"} <= {file.name for file in tmp_path.iterdir()}


async def test_store_keeps_what_it_has_and_its_incarnation(path: Path, made: Made) -> None:
    store = await opened(path)
    session = made.session()
    async with store.begin() as transaction:
        await transaction.commit(made.created(session))
    incarnation = store.about.incarnation
    await store.close()
    again = await opened(path)
    assert (await again.session(session.id)).session == session
    assert again.about.incarnation == incarnation
    await again.close()
    assert {file.name for file in path.parent.iterdir()} == {path.name, path.name + ".lock"}


async def test_in_memory_stores_share_nothing_and_leave_nothing(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second = [await open_store("sqlite:///:memory:") for _ in range(2)]
    async with first.begin() as transaction:
        await transaction.commit(made.created(made.session()))
    assert first.about.incarnation != second.about.incarnation
    assert await second.executions(ExecutionFilter(), 1, None) == []
    for store in (first, second, first):
        await store.close()
    assert list(tmp_path.iterdir()) == []


async def test_only_the_owner_may_read_the_files(path: Path) -> None:
    store = await opened(path)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await store.close()
    assert set(modes.values()) == {0o600}
    assert len(modes) == 4


async def test_connections_are_set_up_for_durability(path: Path) -> None:
    store = await opened(path)

    def pragmas(connection: sqlite3.Connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only")
        return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}

    common = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 1000}
    assert await store._writer.run(pragmas) == common | {"query_only": 0}
    assert await store._read(pragmas) == common | {"query_only": 1}
    with pytest.raises(Unavailable):
        await store._read(lambda connection: connection.execute("DELETE FROM sheetgrpc_sessions"))
    await store.close()


async def test_checks_of_the_users_tables_may_use_json(path: Path) -> None:
    store = await opened(path)
    await store.run_script("CREATE TABLE notes (body TEXT CHECK (json_valid(body)));")
    await store.run_script("INSERT INTO notes VALUES ('{}');")
    assert await store._read(lambda connection: connection.execute("SELECT body FROM notes").fetchall()) == [("{}",)]
    await store.close()


async def test_second_server_is_refused_and_told_who_holds_the_database(path: Path) -> None:
    store = await opened(path)
    link = path.parent / "link.db"
    link.symlink_to(path)
    for name in (path, link):
        with pytest.raises(StoreRefused, match=rf"process with id {os.getpid()}\b") as refused:
            await opened(name)
        assert f'"{path}"' in str(refused.value)
    await store.close()
    await (await opened(link)).close()


HOLDER = """
import asyncio, sys
from sheetgrpc.store.opening import open_store

async def main():
    store = await open_store("sqlite:///" + sys.argv[1])
    print("open", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_lock_goes_with_the_process_however_it_dies(path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert await asyncio.to_thread(holder.stdout.readline) == b"open\n"
        with pytest.raises(StoreRefused, match=rf"process with id {holder.pid}\b"):
            await opened(path)
    finally:
        holder.kill()
        holder.communicate()
    await (await opened(path)).close()


async def test_file_that_is_no_database_is_unavailable_and_left_alone(path: Path) -> None:
    path.write_bytes(b"something else entirely " * 100)
    with pytest.raises(Unavailable) as refused:
        await opened(path)
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert path.read_bytes() == b"something else entirely " * 100


async def test_failed_opening_leaves_no_thread_and_no_lock(path: Path) -> None:
    before = set(threading.enumerate())
    path.write_bytes(b"something else entirely " * 100)
    with pytest.raises(Unavailable):
        await opened(path)
    path.unlink()
    await (await opened(path)).close()
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("sqlite-"):
            thread.join(5)
            assert not thread.is_alive()


async def test_opening_that_is_cancelled_leaves_no_lock(path: Path) -> None:
    for steps in range(12):
        task = asyncio.create_task(opened(path))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await (await opened(path)).close()


def alter(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(sql)
    connection.close()


async def test_newer_database_is_refused_with_both_versions(path: Path) -> None:
    await (await opened(path)).close()
    alter(path, f"INSERT INTO sheetgrpc_migrations VALUES ({NEWEST + 4}, 'x', 0)")
    with pytest.raises(StoreRefused, match=f"has schema {NEWEST + 4}, this program knows up to {NEWEST};"):
        await opened(path)


@pytest.mark.parametrize("damage", ["DROP TABLE sheetgrpc_migrations", "DELETE FROM sheetgrpc_migrations"])
async def test_our_tables_without_a_version_are_refused(path: Path, damage: str) -> None:
    await (await opened(path)).close()
    alter(path, damage)
    with pytest.raises(StoreRefused, match="no record of their version"):
        await opened(path)


async def test_tables_of_the_user_are_left_alone(path: Path) -> None:
    alter(path, "CREATE TABLE sheetgrpcs (a)")
    store = await opened(path)
    assert set(await store.describe(["sheetgrpcs", "sheetgrpc_sessions"])) == {"sheetgrpcs", "sheetgrpc_sessions"}
    await store.close()


def test_migration_that_fails_leaves_the_version_before(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, 0)
    before = list(connection.iterdump())
    broken = Migration(version=NEWEST + 1, name="broken", sql="CREATE TABLE sheetgrpc_new (a);\nDROP TABLE nowhere;")
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, 0, [*load_migrations("sqlite"), broken])
    assert list(connection.iterdump()) == before
    good = Migration(version=NEWEST + 1, name="good", sql="-- why\nCREATE TABLE sheetgrpc_new (a)")
    migrate(connection, 7, [*load_migrations("sqlite"), good])
    rows = connection.execute("SELECT * FROM sheetgrpc_migrations ORDER BY version").fetchall()
    assert rows[-1] == (NEWEST + 1, "good", 7)
    connection.close()


@pytest.mark.parametrize(
    ("script", "parts"),
    [
        ("", []),
        ("-- nothing\n", []),
        ("a;\n-- b;\nc\n;\n", ["a;", "-- b;\nc\n;"]),
        ("SELECT 1", ["SELECT 1"]),
        (
            "CREATE TRIGGER t BEFORE UPDATE ON x\nBEGIN\n    SELECT ';\n';\nEND;\nx;",
            ["CREATE TRIGGER t BEFORE UPDATE ON x\nBEGIN\n    SELECT ';\n';\nEND;", "x;"],
        ),
    ],
)
def test_script_is_split_where_statements_end(script: str, parts: list[str]) -> None:
    assert list(statements(script)) == parts


@pytest.fixture
def schema() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, 0)
    yield connection
    connection.close()


EXECUTIONS = "sheetgrpc_executions (number, id, session_id, sheet_id, submitted_at, state, epoch, body)"
SESSION = (
    "INSERT INTO sheetgrpc_sessions (id, created_at, state, lifecycle, version, role, task_id, parent_id, body)"
    " VALUES ('0ABCDEFGHJKMNPQRSTVWXYZ012', 0, 'EMPTY', 'ACTIVE', 1, '', '', '', '')"
)


class Anything(defaultdict[str, int]):
    """Parameters for any query."""


@pytest.mark.parametrize("name", load_queries("sqlite"))
def test_query_is_sound_explained_and_used(name: str, schema: sqlite3.Connection) -> None:
    text = load_queries("sqlite")[name]
    assert re.match(r"-- [A-Z].*[.?]\n", text), "the line after the name says what the query is for"
    sql = text.split("\n", 1)[1]
    schema.execute("EXPLAIN " + sql, [None] * sql.count("?") if "?" in sql else Anything(int))
    sources = [file.read_text() for file in Path(sheetgrpc.store.__file__).parent.rglob("*.py")]
    assert any(f'"{name}"' in source for source in sources)


@pytest.mark.parametrize(
    "name",
    [
        *("session", "session_ids", "events", "references", "executions_of_session", "results", "symbols", "reply"),
        *("sessions", "sessions_by_role", "sessions_by_client_name", "sessions_by_client_target", "sessions_by_task"),
        *("sessions_by_parent", "sessions_by_label"),
        *("due_leases", "due_retentions", "due_tombstones", "long_logs", "ahead_sessions"),
        *("executions_replaying", "receipts"),
    ],
)
def test_reads_that_grow_with_history_use_an_index(name: str, schema: sqlite3.Connection) -> None:
    query = load_queries("sqlite")[name].split("\n", 1)[1]
    plan = [row[3] for row in schema.execute("EXPLAIN QUERY PLAN " + query, Anything(int))]
    assert plan[0].startswith("SEARCH")
    assert not any("TEMP B-TREE" in step for step in plan)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE sheetgrpc_events SET body = ''",
        "UPDATE sheetgrpc_sheets SET source = ''",
        "UPDATE sheetgrpc_scopes SET keys = ''",
        "UPDATE sheetgrpc_executions SET epoch = 9",
        "UPDATE sheetgrpc_sessions SET id = lower(id)",
        "UPDATE sheetgrpc_sessions SET version = 0",
        "UPDATE sheetgrpc_sessions SET state = 'READYISH'",
        "UPDATE sheetgrpc_sessions SET state = 'EXECUTING', lifecycle = 'COMPLETED'",
        "UPDATE sheetgrpc_sessions SET oldest_sequence = 2, base = ''",
        "UPDATE sheetgrpc_sessions SET version = 3, oldest_sequence = 2",
        "UPDATE sheetgrpc_sessions SET purged = 1",
        "INSERT INTO sheetgrpc_events VALUES ((SELECT id FROM sheetgrpc_sessions), 1, '')",
        "INSERT INTO sheetgrpc_events VALUES ((SELECT id FROM sheetgrpc_sessions), 0, '')",
        "INSERT INTO sheetgrpc_events VALUES ('nobody', 1, '')",
        f"INSERT INTO {EXECUTIONS} SELECT 7, 'e7', id, 's', 0, 'RUNNING', 0, '' FROM sheetgrpc_sessions",
        f"INSERT INTO {EXECUTIONS} SELECT 7, 'e7', id, 's', 0, 'CANCELLING', 1, '' FROM sheetgrpc_sessions",
    ],
)
def test_database_holds_the_invariants_itself(sql: str, schema: sqlite3.Connection) -> None:
    schema.execute("PRAGMA foreign_keys = ON")
    for statement in (
        SESSION,
        "INSERT INTO sheetgrpc_events SELECT id, 1, '' FROM sheetgrpc_sessions",
        "INSERT INTO sheetgrpc_sheets SELECT 's', id, '', 0, 0, '', 0, '' FROM sheetgrpc_sessions",
        "INSERT INTO sheetgrpc_scopes SELECT 'c', id, '', '', '' FROM sheetgrpc_sessions",
        f"INSERT INTO {EXECUTIONS} SELECT 1, 'e', id, 's', 0, 'FAILED', 1, '' FROM sheetgrpc_sessions",
    ):
        schema.execute(statement)
    with pytest.raises(sqlite3.IntegrityError):
        schema.execute(sql)


def test_session_takes_all_of_its_rows_with_it_but_results_which_go_later(schema: sqlite3.Connection) -> None:
    schema.execute("PRAGMA foreign_keys = ON")
    for statement in (
        SESSION,
        "INSERT INTO sheetgrpc_labels SELECT 'l', owner, id FROM sheetgrpc_sessions",
        "INSERT INTO sheetgrpc_events SELECT id, 1, '' FROM sheetgrpc_sessions",
        "INSERT INTO sheetgrpc_scopes SELECT 'c', id, '', '', '' FROM sheetgrpc_sessions",
        "INSERT INTO sheetgrpc_sheets SELECT 's', id, '', 0, 0, '', 0, '' FROM sheetgrpc_sessions",
        "INSERT INTO sheetgrpc_analyses VALUES ('s', '')",
        "INSERT INTO sheetgrpc_diagnostics VALUES ('s', 0, '')",
        "INSERT INTO sheetgrpc_references VALUES ('s', 0, 'r', NULL, '')",
        f"INSERT INTO {EXECUTIONS} SELECT 1, 'e', id, 's', 0, 'FAILED', 1, '' FROM sheetgrpc_sessions",
        "INSERT INTO sheetgrpc_results VALUES (1, 0, 0, 4, 1, 'k', NULL, NULL, 0, NULL)",
        "DELETE FROM sheetgrpc_sessions",
    ):
        schema.execute(statement)
    tables = [name for (name,) in schema.execute(load_queries("sqlite")["our_tables"])]
    rows = {name: schema.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}
    assert {name for name, count in rows.items() if count} == {
        *("sheetgrpc_meta", "sheetgrpc_migrations", "sheetgrpc_queue"),
        *("sheetgrpc_results", "sheetgrpc_leavings"),
    }

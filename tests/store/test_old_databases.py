"""From every version that a database ever had to the newest: nothing is lost, everything reads, the server goes on.

A migration needs a dump of the version it makes (`dumping.py` writes it); the first test here fails until it is there.
"""

# the tests look at files that nobody else waits for

import hashlib
import itertools
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.engine.driving import drive
from tests.store.dumping import NOON, SHIPS

from sheetgrpc.clock import Draws
from sheetgrpc.engine import intents
from sheetgrpc.session.evolution import fold
from sheetgrpc.session.model import ExecutionState, State
from sheetgrpc.store.base import Store
from sheetgrpc.store.opening import open_store
from sheetgrpc.store.queries import load_migrations, load_queries
from sheetgrpc.store.records import ExecutionFilter, ExecutionRow, RequestKey, SessionFilter, SessionRow
from sheetgrpc.store.sqlite.migrations import migrate, read_version

Table: TypeAlias = list[tuple[Any, ...]]  # rows as SQLite has them

MIGRATIONS = load_migrations("sqlite")
VERSIONS = [migration.version for migration in MIGRATIONS]
NEWEST = VERSIONS[-1]
DUMPS = {int(file.stem): file for file in (Path(__file__).parent / "dumps").glob("*.sql")}
OWN = (
    "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name LIKE 'sheetgrpc\\_%' ESCAPE '\\' ORDER BY name"
)


@pytest.fixture(params=sorted(DUMPS), ids=lambda version: f"from {version}")
def version(request: pytest.FixtureRequest) -> int:
    return request.param  # type: ignore[no-any-return]  # one of the params above


@pytest.fixture
def old(version: int, tmp_path: Path) -> Path:
    """A database as a program of that version has left it."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMPS[version].read_text(encoding="utf-8"))
    return path


def fresh(version: int) -> Table:
    """The schema of a new database of this version."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection, 0, [one for one in MIGRATIONS if one.version <= version])
        return connection.execute(OWN).fetchall()


def contents(path: Path) -> dict[str, Table]:
    """The rows of every table of ours."""
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute(load_queries("sqlite")["our_tables"])]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in tables}


LANDED = {
    "sqlite": {1: "d7702028c968eee8", 2: "748c9b166a1d3535", 3: "3f922ce63bcdb397", 4: "47492ee4f806156c"},
    "postgres": {1: "8224393067fd55c0", 3: "8f1df84becfdfcba"},
}


@pytest.mark.parametrize("kind", LANDED)
def test_a_migration_that_others_may_have_had_is_not_edited(kind: str) -> None:
    """What is to be otherwise is a step more: whoever has had this one never has it again."""
    folder = resources.files("sheetgrpc.store") / "sql" / kind / "migrations"
    found = {int(one.name[:4]): hashlib.sha256(one.read_bytes()).hexdigest()[:16] for one in folder.iterdir()}
    assert found == LANDED[kind]


def test_every_version_has_a_dump() -> None:
    """C-R65: without one nobody knows that its databases can still be read."""
    assert sorted(DUMPS) == VERSIONS, "python -m tests.store.dumping > tests/store/dumps/NNNN.sql"


def test_a_dump_is_what_its_version_made(version: int, old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        assert read_version(connection) == version
        assert connection.execute(OWN).fetchall() == fresh(version)
        empty = {name for name, rows in contents(old).items() if not rows}
    assert empty == set(), "a dump has rows in every table"


async def test_a_migrated_database_is_as_a_new_one_and_has_lost_nothing(version: int, old: Path) -> None:
    """C-R66: every column that a new database has."""
    before = contents(old)
    await (await open_store(f"sqlite:///{old}")).close()
    with closing(sqlite3.connect(old)) as connection:
        assert read_version(connection) == NEWEST
        assert connection.execute(OWN).fetchall() == fresh(NEWEST)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    after = contents(old)
    for table in ("sheetgrpc_sessions", "sheetgrpc_events", "sheetgrpc_sheets", "sheetgrpc_executions"):
        assert len(after[table]) == len(before[table]), f"rows of {table} are lost on the way from {version}"
    assert set(before["sheetgrpc_migrations"]) <= set(after["sheetgrpc_migrations"])
    assert set(before["sheetgrpc_meta"]) <= set(after["sheetgrpc_meta"])


async def test_everything_in_a_migrated_database_reads(old: Path) -> None:
    store = await open_store(f"sqlite:///{old}", now=lambda: NOON)
    sessions = await store.sessions(SessionFilter(), 100, None)
    states = {row.session.state for row in sessions}
    assert states == set(State)
    for row in sessions:
        await read_session(store, row)
    for execution in await store.executions(ExecutionFilter(), 100, None):
        await read_execution(store, execution)
    labelled = await store.session("applied")
    assert set(labelled.session.labels) == {"applied", "first"}
    assert (labelled.session.name, labelled.session.metadata) == ("Ünï", {"a": [1, None]})
    assert [symbol.name for symbol in labelled.symbols] == ["star"]
    reply = await store.reply(RequestKey("anna", "ImportSheet", labelled.session.id, "import"))
    assert reply is not None
    assert (reply.fingerprint, reply.session_id) == (b"f", labelled.session.id)
    await store.close()


async def read_session(store: Store, row: SessionRow) -> None:
    """All that belongs to a session; its row is the fold of its log."""
    session = row.session
    events = await store.events(session.id, 0, 1000)
    assert [event.sequence for event in events] == list(range(row.oldest_sequence, session.version + 1))
    assert fold((event.event for event in events), await store.base(session.id)) == session
    if session.scope is not None:
        assert len((await store.scope(session.scope.id)).keys) == session.scope.entity_count
    if session.sheet is not None:
        sheet = await store.sheet(session.sheet.id)
        assert sheet.digest == session.sheet.digest
        analysis = await store.analysis(sheet.id)
        if session.state is not State.GENERATED:
            assert analysis is not None
            assert len(await store.diagnostics(sheet.id, 0, 100)) == analysis.error_count + analysis.warning_count
            still_open = await store.references(sheet.id, -1, 100, unresolved_only=True)
            assert len(still_open) == session.sheet.unresolved_count


async def read_execution(store: Store, execution: ExecutionRow) -> None:
    assert await store.execution(execution.id) == execution
    results = await store.results(execution, -1, 100, ())
    done = execution.state is ExecutionState.SUCCEEDED
    assert len(results) == (execution.statements_total if done else 0)


async def test_a_server_goes_on_with_a_migrated_database(old: Path) -> None:
    later = itertools.count(NOON + 60_000_000, 1000)
    async with drive(old, draws=Draws(now=lambda: next(later))) as fleet:
        rows = await fleet.engine.list_executions(ExecutionFilter(), 100, None)
        ended = [await fleet.finish(row.id) for row in rows]
        states = {row.state for row in ended}
        assert {ExecutionState.SUCCEEDED, ExecutionState.INTERRUPTED} <= states
        session = (await fleet.engine.get_session("applied")).row.session
        again = await fleet.send(session.id, intents.ImportSheet(SHIPS), "import")
        assert again.replayed
        assert again.body.startswith(session.id.encode())
        assert (await fleet.run('(ship.ensure :name "New")')).effects == ["CREATED"]


KILLED = """
import os, sqlite3, sys
from sheetgrpc.store.sqlite.migrations import migrate

path, left = sys.argv[1], int(sys.argv[2])

def count(_):
    global left
    left -= 1
    if not left:
        os._exit(9)

connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.set_trace_callback(count)
migrate(connection, 0)
connection.set_trace_callback(None)
print(-left)
"""


def kill(path: Path, statement: int) -> "subprocess.CompletedProcess[str]":
    """Migrates in a process that dies as it begins its n-th statement."""
    command = [sys.executable, "-c", KILLED, str(path), str(statement)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def starts(folder: Path) -> Iterator[tuple[int, Path]]:
    """A database of every version but the newest, an empty one too."""
    for version in (0, *VERSIONS[:-1]):
        path = folder / f"{version}.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            if version:
                connection.executescript(DUMPS[version].read_text(encoding="utf-8"))
        yield version, path


def test_a_migration_that_is_killed_leaves_a_whole_version(tmp_path: Path) -> None:
    """C-R67. Whichever statement it dies at: the schema is that of a version, and the next start goes on from there."""
    for version, path in starts(tmp_path):
        sound = path.read_bytes()
        before = contents(path)
        done = kill(path, 0)
        assert done.returncode == 0, done.stderr
        total = int(done.stdout)
        assert total > 4
        for statement in sorted({3, total // 2, total - 2, total - 1}):
            path.write_bytes(sound)
            assert kill(path, statement).returncode == 9
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                reached = read_version(connection)
                assert version <= reached < NEWEST
                assert connection.execute(OWN).fetchall() == (fresh(reached) if reached else [])
                if reached == version:
                    assert contents(path) == before
                migrate(connection, 0)
                assert connection.execute(OWN).fetchall() == fresh(NEWEST)

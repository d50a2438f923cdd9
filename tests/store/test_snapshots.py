"""Snapshots: whole and of one commit while others write; a damaged one, or a place that is taken, changes nothing."""

# ruff: noqa: ASYNC240  # the tests look at files that nobody else waits for

import asyncio
import hashlib
import json
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from tests.store.making import Made

from sheetgrpc.store import snapshots
from sheetgrpc.store.base import Store, StoreRefused
from sheetgrpc.store.opening import open_store, restoring_store, snapshot_store
from sheetgrpc.store.queries import load_migrations

NEWEST = load_migrations("sqlite")[-1].version
NOON = 1_790_000_000_000_000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source.db"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "there" / "backup.snap"


@pytest.fixture(autouse=True)
def _folder(file: Path) -> None:
    file.parent.mkdir()


def url(path: Path) -> str:
    return f"sqlite:///{path}"


async def fill(path: Path, made: Made) -> str:
    """A database with a session and a table of the user's; the session's id."""
    store = await open_store(url(path))
    session = made.session(name="kept")
    async with store.begin() as transaction:
        await transaction.commit(made.created(session))
    await store.run_script("CREATE TABLE notes (body TEXT);\nINSERT INTO notes VALUES ('mine');")
    await store.close()
    return session.id


async def restored(file: Path, path: Path) -> Store:
    """The store that a restore makes, with nothing changed in it."""
    async with restoring_store(str(file), url(path)):
        pass
    return await open_store(url(path))


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


async def test_a_snapshot_has_everything_under_another_incarnation(source: Path, file: Path, made: Made) -> None:
    """D-48, D-49."""
    session = await fill(source, made)
    header = snapshot_store(url(source), str(file), NOON, force=False)
    assert header.created_at == "2026-09-21T14:13:20+00:00"
    assert names(file.parent) == {file.name}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    store = await restored(file, file.parent / "new.db")
    assert (await store.session(session)).session.name == "kept"
    assert store.about.incarnation != header.incarnation
    assert (store.about.schema_version, header.schema_version) == (NEWEST, NEWEST)
    await store.close()
    assert names(file.parent) == {file.name, "new.db", "new.db.lock"}
    with closing(sqlite3.connect(file.parent / "new.db")) as connection:
        assert connection.execute("SELECT body FROM notes").fetchall() == [("mine",)]


async def test_the_first_line_tells_what_follows(source: Path, file: Path, made: Made) -> None:
    await fill(source, made)
    header = snapshot_store(url(source), str(file), NOON, force=False)
    line, body = file.read_bytes().split(b"\n", 1)
    told = json.loads(line)
    assert (told["format"], told["version"], told["bytes"]) == ("sheetgrpc-snapshot", 1, len(body))
    assert body.startswith(b"SQLite format 3\0")
    assert told["sha256"] == header.sha256
    unsigned = line.replace(header.sha256.encode(), b"")
    assert hashlib.sha256(unsigned + b"\n" + body).hexdigest() == header.sha256


async def test_a_snapshot_under_load_is_of_one_commit(source: Path, file: Path) -> None:
    """D-48: tables that every commit changes together are never seen apart; nothing committed before is missing."""
    store = await open_store(url(source))
    await store.run_script("CREATE TABLE a (n INTEGER);\nCREATE TABLE b (n INTEGER);")
    stop, committed = False, 0
    reached = [asyncio.Event() for _ in range(5)]

    async def write() -> None:
        nonlocal committed
        for number in count(1):
            if stop:
                break
            rows = f"INSERT INTO a VALUES ({number}), (zeroblob(3000));\nINSERT INTO b VALUES ({number});"
            await store.run_script(rows)
            committed = number
            if number % 20 == 0 and number < 100:
                reached[number // 20].set()

    writing = asyncio.create_task(write())
    seen: list[tuple[int, int, int]] = []
    reached[0].set()
    for at, event in enumerate(reached):
        await event.wait()
        before = committed
        target = file.with_name(f"{at}.snap")
        await asyncio.to_thread(snapshot_store, url(source), str(target), NOON, force=False)
        seen.append((before, at, committed))
    stop = True
    await writing
    await store.close()
    for before, at, after in seen:
        new = await restored(file.with_name(f"{at}.snap"), file.with_name(f"{at}.db"))
        await new.close()
        with closing(sqlite3.connect(file.with_name(f"{at}.db"))) as connection:
            a, b = (
                [n for (n,) in connection.execute(f"SELECT n FROM {table} WHERE typeof(n) = 'integer' ORDER BY n")]
                for table in "ab"
            )
        assert a == b == list(range(1, len(a) + 1))
        assert before <= len(a) <= after + 1
    assert seen[-1][0] >= 80


async def test_a_snapshot_overwrites_only_when_asked_to(source: Path, file: Path, made: Made) -> None:
    await fill(source, made)
    file.write_bytes(b"precious")
    with pytest.raises(StoreRefused, match="is there already"):
        snapshot_store(url(source), str(file), NOON, force=False)
    assert file.read_bytes() == b"precious"
    snapshot_store(url(source), str(file), NOON, force=True)
    assert file.read_bytes().startswith(b'{"format"')
    assert names(file.parent) == {file.name}


def test_a_snapshot_that_comes_about_meanwhile_is_not_overwritten(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "body"
    database.write_bytes(b"body")
    header = snapshots.Header(schema_version=1, incarnation="i", created_at="t", bytes=4)
    monkeypatch.setattr(snapshots, "check_free", lambda *_, **__: file.write_bytes(b"first"))
    with pytest.raises(StoreRefused, match="came about meanwhile"):
        snapshots.write_snapshot(file, database, header, force=False)
    assert file.read_bytes() == b"first"
    assert names(file.parent) == {file.name}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda _: None, "there is no database"),
        (lambda path: path.mkdir(), "there is no database"),
        (lambda path: path.write_bytes(b"something else " * 100), "file is not a database"),
        (lambda path: sqlite3.connect(path).execute("CREATE TABLE t (a)").connection.close(), "no tables of ours"),
    ],
)
def test_what_is_no_store_gives_no_snapshot(
    source: Path, file: Path, make: Callable[[Path], object], told: str
) -> None:
    make(source)
    with pytest.raises(StoreRefused, match=told):
        snapshot_store(url(source), str(file), NOON, force=False)
    assert names(file.parent) == set()


async def test_a_damaged_database_gives_no_snapshot(source: Path, file: Path, made: Made) -> None:
    await fill(source, made)
    with closing(sqlite3.connect(source)) as connection, connection:
        connection.execute("PRAGMA writable_schema = ON")
        page = "(SELECT rootpage FROM sqlite_schema WHERE name = 'notes')"
        connection.execute(f"UPDATE sqlite_schema SET rootpage = {page} WHERE name = 'sheetgrpc_labels_by_session'")
    with pytest.raises(StoreRefused, match=r"is damaged|malformed"):
        snapshot_store(url(source), str(file), NOON, force=False)
    assert names(file.parent) == set()


@pytest.mark.parametrize("where", ["sqlite:///:memory:", "mysql://x"])
def test_a_database_in_memory_has_no_snapshots(where: str, file: Path) -> None:
    with pytest.raises(StoreRefused):
        snapshot_store(where, str(file), NOON, force=False)
    with pytest.raises(StoreRefused):
        restoring_store(str(file), where)


def damages(sound: bytes) -> Iterator[tuple[str, bytes]]:
    """A snapshot, damaged in every way: each bit of its first line, some of its body, cut, longer, another file."""
    head = sound.index(b"\n") + 1
    for at in [*range(head), head, head + 18, head + 5000, len(sound) // 2, len(sound) - 1]:
        for bit in range(8) if at < head else (0, 7):
            changed = bytearray(sound)
            changed[at] ^= 1 << bit
            yield f"bit {bit} of byte {at}", bytes(changed)
    for length in (0, 1, head - 1, head, head + 1, len(sound) // 2, len(sound) - 1):
        yield f"cut at {length}", sound[:length]
    yield "longer", sound + b"\0"
    yield "two in one", sound + sound
    yield "spaced", sound.replace(b":", b": ", 1)
    yield "another digest of another header", sound.replace(b'"version":1', b'"version":2', 1)
    yield "a database", sound[head:]


async def test_a_damaged_snapshot_is_refused_and_nothing_is_written(source: Path, file: Path, made: Made) -> None:
    """D-48."""
    await fill(source, made)
    snapshot_store(url(source), str(file), NOON, force=False)
    tried = 0
    for what, damaged in damages(file.read_bytes()):
        file.write_bytes(damaged)
        with pytest.raises(StoreRefused) as refused:
            async with restoring_store(str(file), url(file.parent / "new.db")):
                pytest.fail(f"restored although {what}")
        assert f'"{file}"' in str(refused.value)
        tried += 1
    assert tried > 1900
    assert names(file.parent) == {file.name}


def forge(file: Path, **fields: object) -> None:
    """Changes a snapshot's first line and signs it anew, as another program would have."""
    line, body = file.read_bytes().split(b"\n", 1)
    told = {**json.loads(line), **fields, "sha256": ""}
    unsigned = json.dumps(told, separators=(",", ":")).encode() + b"\n"
    digest = hashlib.sha256(unsigned + body).hexdigest()
    file.write_bytes(unsigned.replace(b'"sha256":""', f'"sha256":"{digest}"'.encode()) + body)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"schema_version": NEWEST + 3}, f"has schema {NEWEST + 3}, this program knows up to {NEWEST};"),
        ({"version": 2}, "has format 2, this program reads 1;"),
        ({"format": "another"}, "is no snapshot"),
        ({"schema_version": NEWEST - 1}, "tell of two versions"),
        ({"more": 1}, "damaged in its first line"),
    ],
)
async def test_a_snapshot_of_another_version_is_refused(
    source: Path, file: Path, made: Made, fields: dict[str, object], told: str
) -> None:
    await fill(source, made)
    snapshot_store(url(source), str(file), NOON, force=False)
    forge(file, **fields)
    with pytest.raises(StoreRefused, match=told):
        await restored(file, file.parent / "new.db")
    assert names(file.parent) <= {file.name, "new.db.lock"}


def taken_by_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a)")


def taken_by_log(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"frames")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (taken_by_table, "has tables already"),
        (taken_by_log, "is left of another database"),
        (lambda path: path.write_bytes(b"no database " * 90), "cannot be read"),
        (lambda path: path.mkdir(), "no ordinary file"),
    ],
)
async def test_a_restore_goes_into_an_empty_place_only(
    source: Path, file: Path, made: Made, make: Callable[[Path], object], told: str
) -> None:
    """D-48."""
    await fill(source, made)
    snapshot_store(url(source), str(file), NOON, force=False)
    new = file.parent / "new.db"
    make(new)
    before = {one: one.read_bytes() for one in file.parent.iterdir() if one.is_file()}
    with pytest.raises(StoreRefused, match=told):
        await restored(file, new)
    assert {one: one.read_bytes() for one in before} == before
    assert names(file.parent) - {one.name for one in before} <= {"new.db", "new.db.lock", "new.db-wal", "new.db-shm"}


async def test_a_restore_takes_the_place_of_a_file_without_tables(source: Path, file: Path, made: Made) -> None:
    await fill(source, made)
    snapshot_store(url(source), str(file), NOON, force=False)
    new = file.parent / "new.db"
    new.touch()
    await (await restored(file, new)).close()
    bare = file.parent / "bare.db"
    with closing(sqlite3.connect(bare)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA user_version = 3")
    await (await restored(file, bare)).close()


def test_postgresql_has_programs_of_its_own(file: Path) -> None:
    there = "postgresql://somewhere/data"
    with pytest.raises(StoreRefused, match="pg_dump"):
        snapshot_store(there, str(file), NOON, force=False)
    with pytest.raises(StoreRefused, match="pg_restore"):
        restoring_store(str(file), there)


async def test_a_restore_waits_for_no_server(source: Path, file: Path, made: Made) -> None:
    await fill(source, made)
    snapshot_store(url(source), str(file), NOON, force=False)
    new = file.parent / "new.db"
    store = await open_store(url(new))
    with pytest.raises(StoreRefused, match="is in use by the process"):
        await restored(file, new)
    await store.close()


async def test_a_restore_that_fails_leaves_nothing_and_one_that_was_killed_is_no_hindrance(
    source: Path, file: Path, made: Made
) -> None:
    await fill(source, made)
    snapshot_store(url(source), str(file), NOON, force=False)
    new = file.parent / "new.db"
    with pytest.raises(RuntimeError, match="on the way"):
        async with restoring_store(str(file), url(new)):
            raise RuntimeError("on the way")
    assert names(file.parent) == {file.name, "new.db.lock"}
    for suffix in ("", "-wal", "-journal"):
        new.with_name(f"new.db.restoring{suffix}").write_bytes(b"half of it")
    await (await restored(file, new)).close()
    assert names(file.parent) == {file.name, "new.db", "new.db.lock"}


async def test_a_snapshot_of_a_restored_store_is_as_good(source: Path, file: Path, made: Made) -> None:
    session = await fill(source, made)
    snapshot_store(url(source), str(file), NOON, force=False)
    new = file.parent / "new.db"
    await (await restored(file, new)).close()
    snapshot_store(url(new), str(file), NOON, force=True)
    store = await restored(file, file.parent / "third.db")
    assert (await store.session(session)).session.name == "kept"
    await store.close()

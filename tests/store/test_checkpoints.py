"""The log of a SQLite database is copied into its file beside the writer: what has come to the file, and when."""

import asyncio
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from sheetgrpc.errors import Reason, Unavailable
from sheetgrpc.store.sqlite.store import SQLiteStore, open_sqlite

PAGE = 4096


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    opened = await open_sqlite(f"{tmp_path}/store.db", writer_timeout=0.05, busy_timeout=0.05)
    opened._checkpoints._pause = 3600
    await opened.run_script("CREATE TABLE things (body blob)")
    yield opened
    await opened.close()


async def write(store: SQLiteStore, pages: int) -> None:
    async with store.begin() as transaction:
        await transaction.finish(
            lambda connection: connection.execute("INSERT INTO things VALUES (zeroblob(?))", (pages * PAGE,))
        )


async def due(store: SQLiteStore) -> None:
    """The checkpoint that waits for its time has come to an end."""
    checkpoints = store._checkpoints
    assert checkpoints._next is not None
    checkpoints._next.cancel()
    await asyncio.wait({checkpoints._next})
    checkpoints._pause = 0
    checkpoints.note()
    await asyncio.wait({checkpoints._next})


def in_the_file(folder: Path) -> int:
    """How many things the file has without its log; by a copy, as whoever closes a file drops its process's locks."""
    subprocess.run(["cp", "store.db", "alone.db"], cwd=folder, check=True)
    with closing(sqlite3.connect(folder / "alone.db")) as connection:
        try:
            (count,) = connection.execute("SELECT count(*) FROM things").fetchone()
        except sqlite3.OperationalError:
            return 0  # not even the table
    return int(count)


async def test_a_commit_leaves_its_pages_in_the_log(store: SQLiteStore, tmp_path: Path) -> None:
    await write(store, 4000)  # SQLite by itself would copy a thousand with the commit that brings them
    await write(store, 1)
    assert in_the_file(tmp_path) == 0


async def test_a_checkpoint_brings_them_to_the_file(store: SQLiteStore, tmp_path: Path) -> None:
    await write(store, 2)
    await due(store)
    assert in_the_file(tmp_path) == 1


async def test_many_commits_share_one(store: SQLiteStore) -> None:
    await write(store, 1)
    first = store._checkpoints._next
    await write(store, 1)
    assert store._checkpoints._next is first


async def test_the_next_commit_is_followed_by_another(store: SQLiteStore, tmp_path: Path) -> None:
    await write(store, 1)
    await due(store)
    await write(store, 1)
    await due(store)
    assert in_the_file(tmp_path) == 2


async def test_what_is_rolled_back_asks_for_none(store: SQLiteStore) -> None:
    await due(store)
    done = store._checkpoints._next
    with pytest.raises(sqlite3.OperationalError):
        async with store.begin() as transaction:
            await transaction.finish(lambda connection: connection.execute("INSERT INTO nowhere VALUES (1)"))
    assert store._checkpoints._next is done


async def test_beside_a_writer_that_is_at_work(store: SQLiteStore, tmp_path: Path) -> None:
    await write(store, 1)
    async with store.begin() as transaction:
        await transaction._run(lambda connection: connection.execute("INSERT INTO things VALUES (NULL)"))
        await due(store)
        assert in_the_file(tmp_path) == 1


async def test_a_reader_keeps_what_it_began_with(store: SQLiteStore, tmp_path: Path) -> None:
    await write(store, 1)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM things").fetchone() == (1,)
        await write(store, 1)
        await due(store)
        assert reader.execute("SELECT count(*) FROM things").fetchone() == (1,)
    await due(store)
    assert in_the_file(tmp_path) == 2


async def test_a_log_that_gets_too_long_is_copied_by_the_commit(store: SQLiteStore, tmp_path: Path) -> None:
    await write(store, 17_000)
    assert in_the_file(tmp_path) == 1


async def test_a_log_that_was_copied_is_begun_anew(store: SQLiteStore, tmp_path: Path) -> None:
    for _ in range(3):
        await write(store, 1000)
        await due(store)
    assert (tmp_path / "store.db-wal").stat().st_size < 2 * 1000 * PAGE


async def test_one_that_fails_harms_nobody(store: SQLiteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: object) -> None:
        raise Unavailable(Reason.STORE_UNAVAILABLE, "the disk is sick")

    with monkeypatch.context() as patched:
        patched.setattr(store._checkpoints._worker, "run", fail)
        await due(store)
    assert store._checkpoints._next is not None
    assert store._checkpoints._next.exception() is None
    await store.check()
    assert not store._writer.failed


async def test_a_store_closes_while_one_is_due(store: SQLiteStore, tmp_path: Path) -> None:
    await write(store, 1)
    waiting = store._checkpoints._next
    await store.close()
    assert waiting is not None
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    assert not (tmp_path / "store.db-wal").exists()  # folded into the file by the last connection
    assert in_the_file(tmp_path) == 1

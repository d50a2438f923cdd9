"""Takes a snapshot of a SQLite database, and makes a new database of one.

Both work on a file of their own beside the one that is to be, and give it its name when it is whole: a crash on the way
leaves that file and nothing else. A snapshot reads the database as any reader does, so a server may go on writing.
"""

import os
import sqlite3
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

from sheetgrpc.store.base import StoreRefused
from sheetgrpc.store.queries import load_migrations, load_queries
from sheetgrpc.store.snapshots import (
    Header,
    Snapshot,
    check_free,
    read_snapshot,
    sync_folder,
    write_snapshot,
)
from sheetgrpc.store.sqlite.connection import Place, connect_reader, lock
from sheetgrpc.store.sqlite.migrations import read_version
from sheetgrpc.store.sqlite.store import SQLiteStore

_SQL = load_queries("sqlite")
_BUSY_SECONDS = 5.0
_BESIDE = ("", "-wal", "-shm", "-journal")  # the names that SQLite gives to what belongs to a file


def take_snapshot(path: str, file: str, now: int, *, force: bool) -> Header:
    """Writes a snapshot of the database at `path`, as its last commit left it, to `file`; its header.

    `now` is in microseconds. Raises StoreRefused: no such database, nothing of ours in it, damaged, `file` is there.
    """
    source, target = Path(path).resolve(), Path(file).absolute()
    if not source.is_file():
        raise StoreRefused(f'there is no database "{source}"')
    check_free(target, force=force)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            copy = Path(folder, "database")
            header = _copy(source, copy, now)
            return write_snapshot(target, copy, header, force=force)
    except sqlite3.Error as error:
        raise StoreRefused(f'the database "{source}" cannot be copied: {error}') from error
    except OSError as error:
        raise StoreRefused(f'the snapshot "{target}" cannot be written: {error.strerror}') from error


@asynccontextmanager
async def restoring(file: str, path: str, now: Callable[[], int]) -> AsyncIterator[tuple[Header, SQLiteStore]]:
    """A store of what is in a snapshot, brought up to date, under a new incarnation; for the block to change.

    It comes to lie at `path` when the block ends, and not at all if that raises. Raises StoreRefused before anything is
    written where the snapshot is not sound or newer than this program, or something is at `path`.
    """
    with read_snapshot(Path(file)) as snapshot, ExitStack() as released:
        newest = load_migrations("sqlite")[-1].version
        if snapshot.header.schema_version > newest:
            raise StoreRefused(
                f"the snapshot has schema {snapshot.header.schema_version}, this program knows up to {newest};"
                " use a newer one"
            )
        place = lock(path, released)
        _check_empty(place)
        part = place.with_name(place.name + ".restoring")
        try:
            _unpack(snapshot, part)
            store = SQLiteStore(
                Place(path=part, temporary=True),  # nothing is lost with it before it has its name
                ExitStack(),
                writer_timeout=_BUSY_SECONDS,
                busy_timeout=_BUSY_SECONDS,
                now=now,
            )
            try:
                await store.start()
                yield snapshot.header, store
            finally:
                await store.close()
            _settle(part, place)
        except sqlite3.Error as error:
            raise StoreRefused(f'"{part}" cannot be made: {error}') from error
        except OSError as error:
            raise StoreRefused(f'"{place}" cannot be written: {error.strerror}') from error
        finally:
            _remove(part)


def _copy(source: Path, copy: Path, now: int) -> Header:
    """The database as of one commit, in one plain file."""
    with (
        closing(connect_reader(Place(path=source), busy_timeout=_BUSY_SECONDS)) as reader,
        closing(sqlite3.connect(copy, isolation_level=None)) as writer,
    ):
        # In one step, which is one read transaction: in many, each commit of a server would begin it anew.
        reader.backup(writer, pages=-1)
        version = read_version(writer)
        if not version:
            raise StoreRefused(f'"{source}" has no tables of ours; there is nothing to take a snapshot of')
        writer.execute("PRAGMA journal_mode = DELETE").fetchone()  # else a part of it may be in a log beside it
        ((found, *_),) = writer.execute("PRAGMA quick_check(1)").fetchall()
        if found != "ok":
            raise StoreRefused(f'the database "{source}" is damaged: {found}; a snapshot of it could not be restored')
        (incarnation,) = writer.execute(_SQL["meta"], {"name": "incarnation"}).fetchone()
    return Header(
        schema_version=version,
        incarnation=incarnation,
        created_at=datetime.fromtimestamp(now / 1_000_000, UTC).isoformat(timespec="seconds"),
        bytes=copy.stat().st_size,
    )


def _check_empty(place: Path) -> None:
    """StoreRefused unless there is no file, or a database without any table."""
    size = place.stat().st_size if place.is_file() else 0
    if os.path.lexists(place) and not place.is_file():
        raise StoreRefused(f'"{place}" is no ordinary file; restore to another place')
    if not size:
        left = [name for name in _beside(place)[1:] if name.exists() and name.stat().st_size]
        if left:
            raise StoreRefused(f'"{left[0]}" is left of another database; move it away')
        return
    try:
        with closing(connect_reader(Place(path=place), busy_timeout=0)) as reader:
            (tables,) = reader.execute(_SQL["count_tables"]).fetchone()
    except sqlite3.Error as error:
        raise StoreRefused(f'"{place}" is there and cannot be read: {error}; restore to another place') from error
    if tables:
        raise StoreRefused(f'"{place}" has tables already; restore to another place, or move it away')


def _unpack(snapshot: Snapshot, part: Path) -> None:
    _remove(part)  # what a restore that was killed has left; the lock says that none is under way
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        snapshot.unpack(target)
    with closing(sqlite3.connect(part, isolation_level=None)) as connection:
        if read_version(connection) != snapshot.header.schema_version:
            raise StoreRefused("the snapshot's first line and its tables tell of two versions; take another one")
        connection.execute(_SQL["change_meta"], {"name": "incarnation", "value": str(uuid.uuid4())})


def _settle(part: Path, place: Path) -> None:
    """Gives the finished database its name; what is left of an empty one at its place goes first."""
    for name in _beside(place)[1:]:
        name.unlink(missing_ok=True)
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.replace(place)
    sync_folder(place.parent)


def _remove(part: Path) -> None:
    for name in _beside(part):
        name.unlink(missing_ok=True)


def _beside(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in _BESIDE]

"""Where a SQLite database lies and how a connection to it is set up.

A server owns its file: an OS lock on a file beside it keeps a second server out, and goes with the process however that
ends. An in-memory database is a file in a temporary directory that goes with the store: SQLite's own have no readers
beside a writer, and a test database that behaves otherwise than the real one tests nothing.
"""

import fcntl
import os
import shutil
import sqlite3
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from sheetgrpc.store.base import StoreRefused

_MINIMUM = (3, 38, 0)  # the first with RETURNING and with JSON always built in
_OWNER_ONLY = 0o600
_LOG_PAGES = 16384  # 64 MiB
# Of each None that is bound Python's module asks None and itself for an adapter, and drops two exceptions: 0.3 us. One
# that is registered is found at once. For the whole process, and nobody sees a difference.
sqlite3.register_adapter(type(None), {None: None}.__getitem__)
IN_MEMORY = ":memory:"
"""The path of a database that goes with its store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A database file. `temporary`: it need not survive a power cut, nor its store."""

    path: Path
    temporary: bool = False


def claim(path: str, released: ExitStack) -> Place:
    """Locks the database at `path` (IN_MEMORY: a fresh one) and makes it if it is not there; `released` undoes it.

    Raises StoreRefused if there is no such directory, or another process has the lock.
    """
    if path == IN_MEMORY:
        folder = tempfile.mkdtemp(prefix="sheetgrpc-")
        released.callback(shutil.rmtree, folder, ignore_errors=True)
        return Place(path=_create(Path(folder, "memory.db")), temporary=True)
    return Place(path=_create(lock(path, released)))


def lock(path: str, released: ExitStack) -> Path:
    """Locks the place of a database, whether there is one or not; where it really is. `released` undoes it.

    Raises StoreRefused as `claim` does.
    """
    place = Path(
        os.path.realpath(path)
    )  # one lock, whatever link leads there; Path.resolve raises in a circle of links
    if not place.parent.is_dir():
        raise StoreRefused(f'there is no directory "{place.parent}" for the database; make it first')
    released.callback(_lock(place.with_name(place.name + ".lock")).close)
    return place


def identify(path: str) -> tuple[int, int] | None:
    """Which file lies there; None for none."""
    try:
        found = os.stat(path)  # noqa: PTH116  # before every command, and a Path takes as long as the call itself
    except OSError:
        return None
    return found.st_dev, found.st_ino


def connect_writer(place: Place, *, busy_timeout: float) -> sqlite3.Connection:
    """The one connection that writes; `busy_timeout` (seconds) is for other programs that write to the file."""
    connection = _connect(place, "rw", busy_timeout)
    try:
        (journal,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if journal != "wal":
            raise StoreRefused(f'"{place.path}" cannot be used in WAL mode; put it on a local disk')
        connection.execute("PRAGMA cache_size = -32768")  # KiB: a large sheet's pages stay out of the log until commit
        # A log that commits never leave alone is never copied whole beside them, and so never begun anew.
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        connection.execute("PRAGMA journal_size_limit = 67108864")  # a huge run's log does not stay huge
    except BaseException:
        connection.close()
        raise
    return connection


def connect_copier(place: Place) -> sqlite3.Connection:
    """A connection that takes checkpoints, and waits for nobody."""
    return _connect(place, "rw", 0)


def connect_reader(place: Place, *, busy_timeout: float) -> sqlite3.Connection:
    """A connection that cannot write."""
    connection = _connect(place, "ro", busy_timeout)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(place: Place, mode: str, busy_timeout: float) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < _MINIMUM:
        needed = ".".join(map(str, _MINIMUM))
        raise StoreRefused(f"SQLite {sqlite3.sqlite_version} is too old; a Python with {needed} or newer is needed")
    connection = sqlite3.connect(
        f"file:{quote(str(place.path))}?mode={mode}",
        uri=True,
        timeout=busy_timeout,
        isolation_level=None,  # transactions begin and end where we say
        cached_statements=512,
    )
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        # trusted_schema stays on: the schema is the user's own, and its CHECKs may well use json_valid.
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA synchronous = {'OFF' if place.temporary else 'FULL'}")
    except BaseException:
        connection.close()
        raise
    return connection


def _lock(path: Path) -> TextIO:
    # The file stays when the lock goes: removing it would let two processes lock two files of one name.
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY), "r+")
    except OSError as error:
        raise StoreRefused(f'"{path}" cannot be opened to lock the database: {error.strerror}') from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
    except BlockingIOError:
        holder = file.read(32).strip() or "unknown"
        file.close()
        raise StoreRefused(
            f'"{path.with_suffix("")}" is in use by the process with id {holder}; stop it first'
        ) from None
    except BaseException:
        file.close()
        raise
    return file


def _create(path: Path) -> Path:
    # Before SQLite does, so that only the owner may read it; the log beside it takes after the file.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, _OWNER_ONLY))
    except OSError as error:
        raise StoreRefused(f'"{path}" cannot be opened as a database: {error.strerror}') from error
    return path

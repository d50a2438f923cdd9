"""Opens the store that a database URL names. The one place that knows which backends there are."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from sheetgrpc.clock import wall_clock
from sheetgrpc.store.base import Store, StoreRefused
from sheetgrpc.store.postgres.store import open_postgres
from sheetgrpc.store.snapshots import Header
from sheetgrpc.store.sqlite.connection import IN_MEMORY
from sheetgrpc.store.sqlite.snapshots import restoring, take_snapshot
from sheetgrpc.store.sqlite.store import open_sqlite

_SQLITE = "sqlite://"
_POSTGRES = ("postgresql://", "postgres://")
MEMORY_URL = f"sqlite:///{IN_MEMORY}"
"""A database that goes when its store is closed."""


async def open_store(
    url: str,
    *,
    writer_timeout: float = 5.0,
    busy_timeout: float = 5.0,
    pool_size: int = 10,
    query_timeout: float = 600.0,
    now: Callable[[], int] = wall_clock,
    replica: str = "",
    lease: float = 10.0,
) -> Store:
    """The store at a URL: `sqlite:///PATH`, or `postgresql://...` as libpq has them.

    An absolute path has four slashes, `sqlite:///:memory:` goes when it is closed.
    Times are seconds: `writer_timeout` is how long a command waits for the writer, or for what another one holds,
    `busy_timeout` how long for other programs that write to a SQLite file, `query_timeout` how long one query
    may take in PostgreSQL. `pool_size` is how many connections to PostgreSQL transactions may have, and reads as many
    again; `now` the clock that request ids expire by. `replica` names the server among those that share a PostgreSQL,
    and `lease` is how many seconds what it claims is its own unless renewed. Raises StoreRefused with what to do, and
    Unavailable where the database does not answer.
    """
    if url.startswith(_POSTGRES):
        return await open_postgres(
            url,
            writer_timeout=writer_timeout,
            pool_size=pool_size,
            query_timeout=query_timeout,
            now=now,
            replica=replica,
            lease=lease,
        )
    return await open_sqlite(_path(url), writer_timeout=writer_timeout, busy_timeout=busy_timeout, now=now)


def snapshot_store(url: str, file: str, now: int, *, force: bool) -> Header:
    """Writes a snapshot of a database, of a running server too, to `file`; StoreRefused with what to do."""
    return take_snapshot(_kept_path(url), file, now, force=force)


def restoring_store(
    file: str, url: str, now: Callable[[], int] = wall_clock
) -> AbstractAsyncContextManager[tuple[Header, Store]]:
    """A store of what is in a snapshot, for the block to change before it takes its place at `url`.

    Raises StoreRefused, and has written nothing then.
    """
    return restoring(file, _kept_path(url), now)


def _kept_path(url: str) -> str:
    if url.startswith(_POSTGRES):
        raise StoreRefused("snapshots are of SQLite; for PostgreSQL use pg_dump and pg_restore (docs/operations.md)")
    path = _path(url)
    if path == IN_MEMORY:
        raise StoreRefused("a database in memory is its server's alone; give sqlite:///PATH")
    return path


def _path(url: str) -> str:
    if not url.startswith(_SQLITE):
        scheme = url.partition(":")[0]
        raise StoreRefused(f'there is no database of kind "{scheme}"; give sqlite:///PATH or postgresql://...')
    host, slash, path = url.removeprefix(_SQLITE).partition("/")
    if host or not slash or not path:
        raise StoreRefused(f'"{url}" names no file; give sqlite:///PATH, with four slashes for an absolute path')
    return path

"""The way to a PostgreSQL: its URL, how a connection is set up, and a pool that says when it is exhausted.

What a URL leaves out is taken from libpq's usual settings (PGHOST, PGPASSWORD, PGSSLMODE, PGPASSFILE, ...). A URL may
hold a password: it is shown with `redact` and never otherwise. Knows nothing of our tables.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from sheetgrpc.config import redact
from sheetgrpc.store.base import StoreRefused
from sheetgrpc.store.postgres.refusals import DATABASE_ERRORS, sqlstate
from sheetgrpc.store.waiting import away, busy, closed

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

MINIMUM = 140_000  # server_version_num; the first version that is still tested
_CONNECT_SECONDS = 10.0
_STATEMENTS = 1024  # prepared on each connection
_WRONG = ("28", "3D", "42", "22", "08P", "0A")  # the address itself is at fault, and waiting will not mend it


class Pool:
    """Connections to one database, set up alike; who waits too long for one is told to come back."""

    def __init__(self, url: str, size: int, timeout: float, **settings: str) -> None:
        """At most `size` connections, waited for `timeout` seconds; `settings` are the server's, for each of them."""
        self._size = size
        self._timeout = timeout
        self._free = asyncio.Semaphore(size)
        self._url, more = _split(url)
        self._settings = {"application_name": "sheetgrpc", **more, **settings}
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self.closed = False

    async def open(self) -> None:
        """Makes the first connection. Raises StoreRefused where the address cannot be right, else Unavailable."""
        shown = redact(self._url)
        try:
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=0,  # a pool with a floor calls again and again for a server that is away
                max_size=self._size,
                timeout=_CONNECT_SECONDS,
                statement_cache_size=_STATEMENTS,
                max_inactive_connection_lifetime=0,
                reset=_leave,
                server_settings=self._settings,
            )
            await self._pool.release(await self._pool.acquire())
        except (asyncpg.PostgresError, asyncpg.ClientConfigurationError, ValueError) as error:
            code = sqlstate(error)
            if code and not code.startswith(_WRONG):
                raise away() from error
            said = str(error) if code else "it is no address of a PostgreSQL"
            raise StoreRefused(f'the database "{shown}" cannot be opened: {said}') from error
        except OSError as error:
            raise StoreRefused(f'the database "{shown}" does not answer; is it running there?') from error

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[Connection]":
        """A connection for as long as the context is open."""
        taken = await self.take()
        try:
            yield taken
        finally:
            await self.give(taken)

    async def take(self) -> "Connection":
        """A connection. Raises Unavailable(STORE_BUSY) after the timeout, STORE_UNAVAILABLE, SHUTTING_DOWN."""
        if self._pool is None or self.closed:
            raise closed()
        try:
            async with asyncio.timeout(self._timeout):
                await self._free.acquire()
        except TimeoutError as error:
            raise busy() from error
        try:
            return await self._pool.acquire()
        except BaseException as error:
            self._free.release()
            if isinstance(error, DATABASE_ERRORS):
                raise (closed() if self.closed else away()) from error
            raise

    async def give(self, connection: "Connection") -> None:
        """Back into the pool; one that is broken is thrown away there."""
        self._free.release()
        if self._pool is not None:
            await self._pool.release(connection)  # type: ignore[arg-type]  # only what `take` gave comes here

    async def close(self) -> None:
        """Closes every connection; those in use are waited for."""
        self.closed = True
        if self._pool is not None:
            await self._pool.close()


def _split(url: str) -> tuple[str, dict[str, str]]:
    """The URL as the driver takes it, and what else it says: libpq's `options` are settings of the server."""
    parts = urlsplit(url)
    kept: list[tuple[str, str]] = []
    settings: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "options":
            settings |= dict(re.findall(r"-c\s*([\w.]+)=(\S+)", value))
        elif name not in ("connect_timeout", "keepalives", "gssencmode", "channel_binding"):
            kept.append((name, value))
    return urlunsplit(parts._replace(query=urlencode(kept))), settings


async def _leave(_: object) -> None:
    """Nothing to reset: whoever had it has ended its transaction, and nobody sets anything for a session."""

"""The way to a PostgreSQL: its URL, how a connection is set up, and a pool that says when it is exhausted.

What a URL leaves out is taken from libpq's usual settings (PGHOST, PGPASSWORD, PGSSLMODE, PGPASSFILE, ...). A URL may
hold a password: it is shown with `redact` and never otherwise. Knows nothing of our tables.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
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
ANSWER_SECONDS = 30.0  # for one read, or one step of a command; runs have the setting query_timeout
_CONNECT_SECONDS = 10.0  # at most; less where whoever waits has less patience
_STOPPING_SECONDS = 5.0  # until the server says that it has stopped a query; one that stands still never says so
_LEAVE_SECONDS = 5.0  # for the end of what was broken off on a connection; one that takes longer is thrown away
_IDLE_SECONDS = 60  # that a transaction may do nothing: one whose program stands still must not hold rows for ever
# A peer that is gone without a word is missed after some 20 seconds, at both ends, busy or idle.
_KEEPALIVE = {"idle": 10, "interval": 5, "count": 2}
_UNHEARD_SECONDS = 20
_STATEMENTS = 1024  # prepared on each connection
_WRONG = ("28", "3D", "42", "22", "08P", "0A")  # the address itself is at fault, and waiting will not mend it


_ALIVE = {
    **{f"tcp_keepalives_{name}": str(value) for name, value in _KEEPALIVE.items()},
    "tcp_user_timeout": str(_UNHEARD_SECONDS * 1000),
    "idle_in_transaction_session_timeout": str(_IDLE_SECONDS * 1000),
}


class Pool:
    """Connections to one database, set up alike; who waits too long for one is told to come back."""

    def __init__(self, url: str, size: int, timeout: float, query_timeout: float, **settings: str) -> None:
        """At most `size` connections, waited for `timeout` seconds; `settings` are the server's, for each of them.

        A query that the server itself has not stopped soon after `query_timeout` is given up.
        """
        self.timeout = timeout
        self._query_timeout = query_timeout
        self._size = size
        self._free = asyncio.Semaphore(size)
        self._url, more = _split(url)
        self._settings = {**_ALIVE, "application_name": "sheetgrpc", **more, **settings}
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
                timeout=min(_CONNECT_SECONDS, max(1.0, self.timeout)),
                command_timeout=max(ANSWER_SECONDS, self._query_timeout) + _STOPPING_SECONDS,
                statement_cache_size=_STATEMENTS,
                max_inactive_connection_lifetime=0,
                init=_keep_alive,
                reset=_leave,
                server_settings=self._settings,
            )
            await self._pool.release(await self._pool.acquire())
        except ssl.SSLError as error:  # a ValueError too, where it is about the certificate
            said = getattr(error, "verify_message", "") or error.reason or "TLS failed"
            hint = "see sslmode and sslrootcert in the address, or PGSSLMODE and PGSSLROOTCERT"
            raise StoreRefused(f'the database "{shown}" cannot be trusted: {said}; {hint}') from error
        except (asyncpg.PostgresError, asyncpg.ClientConfigurationError, ValueError) as error:
            code = sqlstate(error)
            if code and not code.startswith(_WRONG):
                raise away() from error
            said = str(error) if code else "it is no address of a PostgreSQL"
            raise StoreRefused(f'the database "{shown}" cannot be opened: {said}') from error
        except (OSError, asyncpg.InternalClientError) as error:  # the latter: none of several hosts is the wanted one
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
        if self._free.locked():
            try:
                async with asyncio.timeout(self.timeout):
                    await self._free.acquire()
            except TimeoutError as error:
                raise busy() from error
        else:
            await self._free.acquire()  # at once
        try:
            return await self._pool.acquire()
        except BaseException as error:
            self._free.release()
            if isinstance(error, DATABASE_ERRORS):
                raise (closed() if self.closed else away()) from error
            raise

    async def give(self, connection: "Connection") -> None:
        """Back into the pool; one that is broken, or does not come to rest, is thrown away there."""
        try:
            if self._pool is not None:
                await self._pool.release(connection, timeout=_LEAVE_SECONDS)  # type: ignore[arg-type]  # `take` gave it
        except DATABASE_ERRORS:
            drop(connection)
        finally:
            self._free.release()

    async def close(self) -> None:
        """Closes every connection; those in use are waited for, but not for ever."""
        self.closed = True
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._pool.close()
        except DATABASE_ERRORS:
            self._pool.terminate()

    def abandon(self) -> None:
        """Breaks every connection, and with it off whatever is asked on it; makes no new one."""
        self.closed = True
        if self._pool is not None:
            self._pool.terminate()


@contextmanager
def answering(connection: "Connection", seconds: float) -> Iterator[None]:
    """Gives up on a connection that is silent for so long, and on all that was asked of it: raises TimeoutError.

    It breaks the connection, which ends whatever waits for it: there are several a command, and `asyncio.timeout` costs
    twice as much.
    """
    late = False

    def give_up() -> None:
        nonlocal late
        late = True
        drop(connection)

    timer = asyncio.get_running_loop().call_later(seconds, give_up)
    try:
        yield
    except DATABASE_ERRORS as error:
        if late:
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()


def drop(connection: "Connection") -> None:
    """Breaks a connection, if it is not broken and gone already: that it is no error, and must not hide one."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


def _split(url: str) -> tuple[str, dict[str, str]]:
    """The URL as the driver takes it, and what else it says: libpq's `options` are settings of the server."""
    parts = urlsplit(url)
    kept: list[tuple[str, str]] = []
    settings: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name == "options":
            settings |= dict(re.findall(r"-c\s*([\w.]+)=(\S+)", value))
        elif name == "target_session_attrs" and value == "read-write":
            kept.append((name, "primary"))  # which connections that only read find, too
        elif name not in ("connect_timeout", "keepalives", "gssencmode", "channel_binding"):
            kept.append((name, value))
    return urlunsplit(parts._replace(query=urlencode(kept))), settings


async def _keep_alive(connection: "Connection") -> None:
    """Has the system ask whether the server is still there; a socket that is a file needs none of it."""
    found = connection._transport.get_extra_info("socket")  # type: ignore[union-attr]  # noqa: SLF001  # no option says this
    if found.family == getattr(socket, "AF_UNIX", None):
        return
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wanted = {"TCP_KEEPIDLE": _KEEPALIVE["idle"], "TCP_KEEPINTVL": _KEEPALIVE["interval"]}
    wanted |= {"TCP_KEEPCNT": _KEEPALIVE["count"], "TCP_USER_TIMEOUT": _UNHEARD_SECONDS * 1000}
    for name, value in wanted.items():
        if hasattr(socket, name):  # not all systems have all of them
            found.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def _leave(_: object) -> None:
    """Nothing to reset: whoever had it has ended its transaction, and nobody sets anything for a session."""

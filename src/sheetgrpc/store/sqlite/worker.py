"""A SQLite connection and the one thread that uses it.

Whole functions are sent to the thread, so that a transaction's worth of statements costs one hop. A caller that is
cancelled still waits for its function to end: when `run` returns or raises, the thread is done with it. Knows nothing
of what the functions do; turns the database's own failures into the service's errors, by result code and never by text.

A queue and a thread of our own rather than an executor: under load a call costs half, and a thread that hangs in the
file system does not keep the process from ending.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sheetgrpc.errors import Reason, Unavailable
from sheetgrpc.store.base import Interrupted
from sheetgrpc.store.waiting import away, busy, closed

P = ParamSpec("P")
T = TypeVar("T")

_PRIMARY = 0xFF  # the primary result code within an extended one
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# What the machine does to us. Any other code is a wrong statement: a bug, and not to be retried.
_BROKEN = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)


class Worker:
    """Runs functions of a connection, one after the other, on the connection's thread."""

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection]) -> None:
        """`connect` is called on the thread by `open`."""
        self.waiting = 0  # functions sent and not yet done
        self.commits = 0  # that were tried
        self.failed = False  # the machine has failed under one; whoever commits after that says that it works again
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self.closed = False
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        Thread(target=_serve, args=(self._calls,), name=name, daemon=True).start()

    async def open(self) -> None:
        """Connects; the thread is gone again if that fails."""
        try:
            await self._send(self._open)
        except BaseException:
            await self.close()
            raise

    async def run(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The function's outcome. Raises Unavailable where the database is at fault, Interrupted after `interrupt`."""
        return await self._send(partial(function, self._connected(), *args, **kwargs))

    def interrupt(self) -> None:
        """Fails the statement that runs now, if one does."""
        if self._connection is not None and not self.closed:
            self._connection.interrupt()

    async def close(self) -> None:
        """Rolls back what is open, closes the connection and ends the thread; again: does nothing."""
        if self.closed:
            return
        self.closed = True
        try:
            await self._put(self._close)
        finally:
            self._calls.put(None)

    async def _send(self, function: Callable[[], T]) -> T:
        if self.closed:
            raise closed()
        self.waiting += 1
        answer = self._put(function)
        try:
            return await answer
        except asyncio.CancelledError:
            answer.exception()  # seen: asyncio would report one that nobody looked at
            raise
        except Unavailable as error:
            self.failed = self.failed or error.reason is not Reason.STORE_BUSY
            raise
        finally:
            self.waiting -= 1
            del answer  # as in _answer

    def _put(self, function: Callable[[], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        answer: _Answer[T] = _Answer(loop=loop)
        self._calls.put(partial(_answer, loop, answer, function))
        return answer

    def _open(self) -> None:
        self._connection = self._connect()

    def _connected(self) -> sqlite3.Connection:
        assert self._connection is not None, "open() comes first"
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class _Answer(asyncio.Future[T]):
    """What a function on the thread answers; it is there when the function has ended and not before.

    A task that waits for it and is cancelled gets its CancelledError then: asyncio puts it off where `cancel` declines.
    Who waits first goes on in the turn of the loop that brings the answer; asyncio would have it wait for the next.
    """

    _first: tuple[Callable[[Any], object], Context] | None = None  # Any: this very answer

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002  # asyncio's form
        return False

    def add_done_callback(self, callback: "Callable[[Self], object]", /, *, context: Context | None = None) -> None:
        if self._first is None and not self.done():
            self._first = callback, copy_context() if context is None else context  # an empty one is false
        else:
            super().add_done_callback(callback, context=context)

    def remove_done_callback(self, callback: "Callable[[Self], object]", /) -> int:
        if self._first is None or self._first[0] != callback:
            return super().remove_done_callback(callback)
        self._first = None
        return 1 + super().remove_done_callback(callback)

    def deliver(self, settle: "Callable[[Any], None]", outcome: object) -> None:
        """Settles it by one of its own setters; on the loop, in a turn of which this is all."""
        settle(outcome)
        first, self._first = self._first, None
        if first is not None:
            callback, context = first
            context.run(callback, self)


def _serve(calls: "SimpleQueue[Callable[[], None] | None]") -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # what it holds is not kept until the next one comes


def _answer(loop: asyncio.AbstractEventLoop, answer: _Answer[T], function: Callable[[], T]) -> None:
    deliver: Callable[[], None]
    try:
        deliver = partial(answer.deliver, answer.set_result, _translating(function))
    except BaseException as error:  # noqa: BLE001  # it is the caller's, all of it
        deliver = partial(answer.deliver, answer.set_exception, error)
    with suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(deliver)
    del deliver, answer  # an error would hold itself by way of this frame, and all that was sent with it


def _translating(function: Callable[[], T]) -> T:
    try:
        return function()
    except sqlite3.DatabaseError as error:
        refusal = _refusal_of(error)
        if refusal is None:
            raise
        raise refusal from error


def _refusal_of(error: sqlite3.Error) -> Exception | None:
    """What a caller is told of a failure of the database; None where the statement itself is wrong."""
    code = getattr(error, "sqlite_errorcode", None)  # absent where the module itself objects
    if code is None:
        return None
    code &= _PRIMARY
    if code == sqlite3.SQLITE_INTERRUPT:
        return Interrupted("the statement was interrupted")
    if code in _BUSY:
        return busy()
    if code in _BROKEN:
        return away()
    return None

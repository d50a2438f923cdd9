"""Checkpoints: what has been committed to SQLite's log is copied into the file, beside the writer.

SQLite itself does it with the commit that makes the log a thousand pages long: ten milliseconds and more for whoever
that commit belongs to, and for all who wait behind it. Here a thread of its own does it, a second after a commit, with
a passive checkpoint, which waits for nobody and keeps nobody waiting (https://sqlite.org/wal.html#ckpt).
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress

from sheetgrpc.errors import Unavailable
from sheetgrpc.store.sqlite.worker import Worker

_PAUSE_SECONDS = 1.0  # from a commit on: many share one checkpoint


class Checkpoints:
    """Follows a writer's commits."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], *, pause: float = _PAUSE_SECONDS) -> None:
        """`connect` is as `Worker` takes it; `pause` is in seconds."""
        self._worker = Worker("sqlite-checkpoints", connect)
        self._pause = pause
        self._next: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connects."""
        await self._worker.open()

    def note(self) -> None:
        """Something was committed."""
        if self._next is None or self._next.done():
            self._next = asyncio.create_task(self._take())

    async def close(self) -> None:
        """What is due is not waited for: the last connection to leave takes a checkpoint. Again: does nothing."""
        if self._next is not None:
            self._next.cancel()
        await self._worker.close()

    async def _take(self) -> None:
        await asyncio.sleep(self._pause)
        with suppress(Unavailable):  # nothing is lost by that, and if the disk is sick the next commit says so
            await self._worker.run(_checkpoint)


def _checkpoint(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

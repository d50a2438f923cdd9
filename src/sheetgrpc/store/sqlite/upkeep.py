"""`Upkeep` on SQLite: who is due is read beside the writer; what is written is one short transaction a call."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import msgspec

from sheetgrpc.session.model import Session
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.sqlite.transaction import SQLiteTransaction
from sheetgrpc.store.sqlite.worker import Worker

T = TypeVar("T")

_SQL = load_queries("sqlite")
_encode = msgspec.json.Encoder().encode


class SQLiteUpkeep:
    """`store.upkeep.Upkeep` on SQLite."""

    def __init__(self, begin: Callable[[], AbstractAsyncContextManager[SQLiteTransaction]], reader: Worker) -> None:
        self._begin = begin
        self._reader = reader

    async def leases_due(self, now: int, since: int, limit: int) -> list[str]:
        """Live sessions whose lease has run out."""
        return await self._list("due_leases", {"now": now, "since": since, "limit": limit})

    async def retentions_due(self, before: int, limit: int) -> list[str]:
        """Live sessions that nothing has happened to."""
        return await self._list("due_retentions", {"before": before, "limit": limit})

    async def tombstones_due(self, before: int, limit: int) -> list[str]:
        """Sessions that ended long ago."""
        return await self._list("due_tombstones", {"before": before, "limit": limit})

    async def long_logs(self, events: int, after: str, limit: int) -> list[str]:
        """Live sessions with many events."""
        return await self._list("long_logs", {"events": events, "after": after, "limit": limit})

    async def touch(self, times: Mapping[str, int], now: int) -> None:
        """Signs of life."""
        rows = [{"id": session_id, "at": at, "now": now} for session_id, at in times.items()]
        await self._write(lambda connection: connection.executemany(_SQL["touch_session"], rows))

    async def settle_clock(self, now: int, beyond: int, limit: int) -> int:
        """Signs of life that were yet to come are of now."""
        ahead = await self._list("ahead_sessions", {"beyond": beyond, "limit": limit})
        if ahead:
            await self.touch(dict.fromkeys(ahead, now), now)
        return len(ahead)

    async def trim(self, session: Session, base: Session) -> bool:
        """Takes the first events off a log."""
        return await self._write(lambda connection: _trim(connection, session, base))

    async def purge(self, session_id: str, before: int) -> bool:
        """Makes a session unknown."""
        return await self._write(lambda connection: _purge(connection, session_id, before))

    async def clear(self, limit: int) -> int:
        """Deletes some of what purged sessions left."""
        if not await self._list("leaving", {}) and not await self._list("purged_session", {}):
            return 0  # seen without the writer, as nearly always
        return await self._write(lambda connection: _clear(connection, limit))

    async def drop_replies(self, now: int, limit: int) -> int:
        """Deletes stored replies that have expired."""
        asked = {"now": now, "limit": limit}
        return await self._write(lambda connection: connection.execute(_SQL["drop_expired_replies"], asked).rowcount)

    async def _list(self, query: str, parameters: Mapping[str, object]) -> list[str]:
        rows = await self._reader.run(lambda connection: connection.execute(_SQL[query], parameters).fetchall())
        return [first for (first,) in rows]

    async def _write(self, write: Callable[[sqlite3.Connection], T]) -> T:
        async with self._begin() as transaction:
            return await transaction.finish(write)


def _trim(connection: sqlite3.Connection, session: Session, base: Session) -> bool:
    row = {"id": session.id, "version": session.version, "oldest": base.version + 1, "base": _encode(base)}
    if connection.execute(_SQL["trim_session"], row).rowcount != 1:
        return False
    connection.execute(_SQL["drop_events"], {"id": session.id, "oldest": base.version + 1})
    return True


def _purge(connection: sqlite3.Connection, session_id: str, before: int) -> bool:
    if connection.execute(_SQL["hide_session"], {"id": session_id, "before": before}).rowcount != 1:
        return False
    connection.execute(_SQL["drop_labels"], {"id": session_id})
    connection.execute(_SQL["drop_executions"], {"id": session_id})
    return True


def _clear(connection: sqlite3.Connection, limit: int) -> int:
    """One piece: rows of one table, of one execution or session."""
    leaving = connection.execute(_SQL["leaving"]).fetchone()
    if leaving is not None:
        gone = {"execution": leaving[0], "limit": limit}
        return _first(connection, ("drop_effects", "drop_results", "drop_leaving"), gone)
    purged = connection.execute(_SQL["purged_session"]).fetchone()
    if purged is None:
        return 0
    session = {"id": purged[0], "limit": limit}
    sheet = connection.execute(_SQL["sheet_of_session"], session).fetchone()
    if sheet is not None:
        steps = ("drop_some_references", "drop_some_diagnostics", "drop_sheet")
        return _first(connection, steps, {"sheet_id": sheet[0], "limit": limit})
    return _first(connection, ("drop_scope", "drop_some_events", "drop_session"), session)


def _first(connection: sqlite3.Connection, steps: tuple[str, ...], parameters: Mapping[str, object]) -> int:
    """Takes the first of these steps that finds anything; how many rows it deleted."""
    for step in steps:
        done = connection.execute(_SQL[step], parameters).rowcount
        if done:
            return done
    return 0

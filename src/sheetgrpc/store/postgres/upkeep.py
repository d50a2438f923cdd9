"""`Upkeep` on PostgreSQL: who is due is read beside the writers; what is written is one short transaction a call.

Whole sets go to the database at once. What it deletes is a bounded piece: rows of one table, of one execution or
session.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sheetgrpc.session.model import Session
from sheetgrpc.store.postgres.queue import row_count
from sheetgrpc.store.postgres.transaction import PostgresTransaction
from sheetgrpc.store.queries import load_queries

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

T = TypeVar("T")

_SQL = load_queries("postgres")
_encode = msgspec.json.Encoder().encode


class PostgresUpkeep:
    """`store.upkeep.Upkeep` on PostgreSQL."""

    def __init__(
        self,
        begin: Callable[[], AbstractAsyncContextManager[PostgresTransaction]],
        read: Callable[..., Awaitable[list[str]]],
    ) -> None:
        """`read` answers the first column of a query by name, given its values."""
        self._begin = begin
        self._read = read

    async def leases_due(self, now: int, since: int, limit: int) -> list[str]:
        """Live sessions whose lease has run out."""
        return await self._read("due_leases", now, since, limit)

    async def retentions_due(self, before: int, limit: int) -> list[str]:
        """Live sessions that nothing has happened to."""
        return await self._read("due_retentions", before, limit)

    async def tombstones_due(self, before: int, limit: int) -> list[str]:
        """Sessions that ended long ago."""
        return await self._read("due_tombstones", before, limit)

    async def long_logs(self, events: int, after: str, limit: int) -> list[str]:
        """Live sessions with many events."""
        return await self._read("long_logs", events, after, limit)

    async def touch(self, times: Mapping[str, int], now: int) -> None:
        """Signs of life."""
        await self._change("touch_sessions", list(times), list(times.values()), now)

    async def settle_clock(self, now: int, beyond: int, limit: int) -> int:
        """Signs of life that were yet to come are of now."""
        if not await self._read("ahead_session", beyond):
            return 0  # seen without a lock, as nearly always
        return await self._change("settle_sessions", now, beyond, limit)

    async def trim(self, session: Session, base: Session) -> bool:
        """Takes the first events off a log."""
        kept = base.version + 1, _encode(base)

        async def trim(connection: "Connection") -> bool:
            return await connection.fetchval(_SQL["trim_session"], session.id, session.version, *kept) is not None

        return await self._write(trim)

    async def purge(self, session_id: str, before: int) -> bool:
        """Makes a session unknown."""

        async def purge(connection: "Connection") -> bool:
            await connection.execute(_SQL["hold_session"], session_id)
            return await connection.fetchval(_SQL["hide_session"], session_id, before) is not None

        return await self._write(purge)

    async def clear(self, limit: int) -> int:
        """Deletes some of what purged sessions left."""
        if not await self._read("leavings"):
            return 0  # seen without a transaction, as nearly always
        return await self._write(lambda connection: _clear(connection, limit))

    async def drop_replies(self, now: int, limit: int) -> int:
        """Deletes stored replies that have expired."""
        return await self._change("drop_expired_replies", now, limit)

    async def _change(self, query: str, *values: object) -> int:
        """How many rows a statement has changed."""

        async def change(connection: "Connection") -> int:
            return row_count(await connection.execute(_SQL[query], *values))

        return await self._write(change)

    async def _write(self, write: "Callable[[Connection], Awaitable[T]]") -> T:
        async with self._begin() as transaction:
            return await transaction.finish(write)


async def _clear(connection: "Connection", limit: int) -> int:
    """One piece: rows of one table, of one execution or session."""
    found = await connection.fetchrow(_SQL["left_over"])
    assert found is not None, "one row, always"
    execution, session, sheet = found
    if execution is not None:
        return await _first(connection, {"drop_results": (execution, limit), "drop_leaving": (execution,)})
    if session is None:
        return 0
    if sheet is not None:
        piece = sheet, limit
        steps = {"drop_some_references": piece, "drop_some_diagnostics": piece, "drop_sheet": (sheet,)}
        return await _first(connection, steps)
    steps = {"drop_scope": (session,), "drop_some_events": (session, limit), "drop_session": (session,)}
    return await _first(connection, steps)


async def _first(connection: "Connection", steps: Mapping[str, tuple[object, ...]]) -> int:
    """Takes the first of these steps that finds anything; how many rows it deleted."""
    for query, values in steps.items():
        done = row_count(await connection.execute(_SQL[query], *values))
        if done:
            return done
    return 0

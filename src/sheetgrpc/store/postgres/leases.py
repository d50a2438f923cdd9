"""`Leases` on PostgreSQL, on a few connections of their own: where commands and runs wait for one, leases go on.

Hints are NOTIFYs, gathered and sent on the connection that listens, never by a command: PostgreSQL lets one transaction
at a time commit that notifies. Where a connection cannot listen (a pooler, a database that only speaks the protocol),
there are no hints, and everybody finds out by looking.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import asyncpg

from sheetgrpc.store.leases import Lease, ProgressRow
from sheetgrpc.store.postgres.connection import ANSWER_SECONDS, Pool, answering, drop
from sheetgrpc.store.postgres.queue import execution_row
from sheetgrpc.store.postgres.refusals import DATABASE_ERRORS, refusal_of
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.records import ExecutionRow
from sheetgrpc.store.waiting import away

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

CONNECTIONS = 3  # one listens, the others renew, tell and look
_SQL = load_queries("postgres")
_CHANNEL = "sheetgrpc"
_PAYLOAD = 7000  # bytes; PostgreSQL takes 8000
_SHORTEST_SECONDS = 1.0  # that a renewal may take, however short leases are
_ALIVE_SECONDS = 5.0  # how often a connection that only listens is tried, and how long it has to answer
_GATHER_SECONDS = 0.005  # between two batches of hints where there are many: each is a transaction of the database


class PostgresLeases:
    """`store.leases.Leases` on PostgreSQL; made by the store."""

    def __init__(self, pool: Pool, replica: str, seconds: float) -> None:
        """`seconds` is how long a lease lasts."""
        self.replica = replica
        self._pool = pool
        self._seconds = seconds
        self._hints: dict[str, None] = {}  # that wait to be sent, in order
        self._hinted = asyncio.Event()
        self._listening = False

    async def renew(self, executions: Sequence[str]) -> list[Lease]:
        """Renews; answers all that are ours."""
        # One that is answered too late is none: whoever asks must know in time.
        limit = min(ANSWER_SECONDS, max(_SHORTEST_SECONDS, self._seconds / 2))
        rows = await self._fetch_within(limit, "renew_leases", self.replica, list(executions), self._seconds)
        return [Lease(*row) for row in rows]

    async def lapsed(self, limit: int) -> list[ExecutionRow]:
        """Runs that nobody renews."""
        return [execution_row(*row) for row in await self._fetch("lapsed_leases", limit)]

    async def evict(self, owner: str) -> None:
        """Ends the owner's transactions; a database that knows no such thing ends them when they are idle too long."""
        if not owner or owner == self.replica:
            return
        async with self._pool.connection() as connection:
            with suppress(*DATABASE_ERRORS), answering(connection, ANSWER_SECONDS):
                await connection.execute(_SQL["evict"], application_name(owner))

    async def tell(self, progress: ProgressRow) -> None:
        """Writes progress."""
        await self._fetch("add_progress", progress.execution_id, progress.epoch, progress.last_sequence, progress.body)

    async def told(self, places: Mapping[str, tuple[int, int]]) -> list[ProgressRow]:
        """Reads progress."""
        epochs = [epoch for epoch, _ in places.values()]
        sequences = [sequence for _, sequence in places.values()]
        return [ProgressRow(*row) for row in await self._fetch("progress", list(places), epochs, sequences)]

    async def executions(self, ids: Sequence[str]) -> list[ExecutionRow]:
        """Executions by id."""
        return [execution_row(*row) for row in await self._fetch("followed_executions", list(ids))]

    async def versions(self, sessions: Sequence[str]) -> dict[str, int]:
        """How far logs are."""
        rows = await self._fetch("versions", list(sessions))
        return {row["id"]: row["version"] for row in rows}

    async def clear(self, seconds: float, limit: int) -> None:
        """Deletes old progress."""
        await self._fetch("drop_progress", seconds, limit)

    def hint(self, text: str) -> None:
        """Has it sent with others, if anybody can be told."""
        if self._listening:
            self._hints[text] = None
            self._hinted.set()

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Listens, and sends what there is to tell; what has gathered while one batch is on its way is the next."""
        async with self._pool.connection() as connection:
            try:
                listener = partial(self._hear, heard)
                with answering(connection, _ALIVE_SECONDS):
                    await connection.add_listener(_CHANNEL, listener)
                self._listening = True
                await self._send(connection)
            except DATABASE_ERRORS as error:
                raise away() from error
            finally:
                self._listening = False
                self._hints.clear()
                drop(connection)  # nobody else may get one that listens

    def _hear(self, heard: Callable[[str], None], *told: object) -> None:
        """`told` is the driver's: connection, process, channel, payload."""
        sender, _, hints = str(told[-1]).partition(" ")
        if sender != self.replica:
            for hint in hints.split(" "):
                heard(hint)

    async def _send(self, connection: "Connection") -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ALIVE_SECONDS):
                    await self._hinted.wait()
            self._hinted.clear()
            payload = self.replica
            while self._hints and len(payload) < _PAYLOAD:
                first = next(iter(self._hints))
                del self._hints[first]
                payload += f" {first}"
            if self._hints:
                self._hinted.set()
            with answering(connection, _ALIVE_SECONDS):
                if payload == self.replica:
                    await connection.execute("SELECT 1")
                else:
                    await connection.execute(_SQL["notify"], _CHANNEL, payload)
            if self._hints:
                await asyncio.sleep(_GATHER_SECONDS)

    async def _fetch(self, query: str, *values: object) -> "list[asyncpg.Record]":
        return await self._fetch_within(ANSWER_SECONDS, query, *values)

    async def _fetch_within(self, seconds: float, query: str, *values: object) -> "list[asyncpg.Record]":
        try:
            async with self._pool.connection() as connection:
                with answering(connection, seconds):
                    return list(await connection.fetch(_SQL[query], *values))
        except DATABASE_ERRORS as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            raise away() from error


def application_name(replica: str) -> str:
    """What a replica's connections are called in the database."""
    return f"sheetgrpc {replica}" if replica else "sheetgrpc"

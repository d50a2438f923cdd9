"""`Store` on PostgreSQL: connections that read, and one for each transaction under way.

The database orders and locks; nothing is kept here but what the catalog's tables look like. Reads see the last commit
and never wait for writers.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from sheetgrpc.catalog.database import Table
from sheetgrpc.catalog.model import Catalog, Entity
from sheetgrpc.clock import wall_clock
from sheetgrpc.dsl.diagnostics import Diagnostic
from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.planning.model import Key
from sheetgrpc.session.approvals import Approval
from sheetgrpc.session.model import Session
from sheetgrpc.store.base import About, Interrupted
from sheetgrpc.store.calling.batch import Calling
from sheetgrpc.store.packing import EffectFilter
from sheetgrpc.store.postgres import approvals, effects, lookups, queue, reads
from sheetgrpc.store.postgres.connection import ANSWER_SECONDS, Pool, answering
from sheetgrpc.store.postgres.leases import CONNECTIONS, PostgresLeases, application_name
from sheetgrpc.store.postgres.migrations import check_version, migrate
from sheetgrpc.store.postgres.refusals import DATABASE_ERRORS, Repeat, conflict, is_lost, refusal_of
from sheetgrpc.store.postgres.statements import Compiled, Live
from sheetgrpc.store.postgres.tables import LiveColumn, describe_tables, read_columns
from sheetgrpc.store.postgres.tasks import PostgresTasks
from sheetgrpc.store.postgres.transaction import PostgresTransaction
from sheetgrpc.store.postgres.upkeep import PostgresUpkeep
from sheetgrpc.store.queries import load_migrations
from sheetgrpc.store.queue import QueueCounts, QueueRow, ReceiptRow
from sheetgrpc.store.records import (
    AnalysisRow,
    ApprovalFilter,
    Candidate,
    EventRow,
    ExecutionFilter,
    ExecutionRow,
    ReferenceRow,
    RequestKey,
    ResultRow,
    ScopeRow,
    SessionFilter,
    SessionRow,
    SheetRow,
    StoredReply,
    SymbolRow,
)
from sheetgrpc.store.waiting import away, closed, settled
from sheetgrpc.trust.model import NO_HANDLERS, Handlers

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

P = ParamSpec("P")
T = TypeVar("T")

_ATTEMPTS = 3  # of a read
_SHORTEST_IDLE = 5.0  # seconds that a transaction may wait for its own program, however short leases are


class PostgresStore:
    """`store.base.Store` on PostgreSQL; made by `open_postgres`."""

    about: About
    upkeep: PostgresUpkeep
    tasks: PostgresTasks
    commits = None  # other servers commit, too
    idle = False  # to begin is a trip

    def __init__(
        self,
        writers: Pool,
        readers: Pool,
        side: Pool,
        query_timeout: float,
        now: Callable[[], int],
        *,
        leases: PostgresLeases | None,
        lease: float,
    ) -> None:
        """`lease` is how many seconds a claim holds; `side` the connections of `leases`."""
        self.leases = leases
        self._lease = lease
        self._writers = writers
        self._readers = readers
        self._pools = (writers, readers, side)
        self._query_timeout = query_timeout
        self._now = now
        self._compiled: Compiled | None = None
        self._columns: dict[str, dict[str, LiveColumn]] = {}
        self._open: dict[PostgresTransaction, Connection] = {}
        self._closed = False
        self.upkeep = PostgresUpkeep(self.begin, self._read_ids)
        self.tasks = PostgresTasks(self._read)

    async def start(self) -> None:
        """Connects and brings the schema up to date. Raises StoreRefused, Unavailable."""
        for pool in self._pools:
            await pool.open()
        async with self._writers.connection() as connection:
            version = await check_version(connection)
            incarnation = await migrate(connection, self._now())
        self.about = About("postgresql", version, load_migrations("postgres")[-1].version, incarnation, shared=True)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresTransaction]:
        """A transaction of its own; a connection for it is waited for at most the writer timeout."""
        connection = await self._writers.take()
        transaction = PostgresTransaction(connection, self._compiled, self._now, self._query_timeout, self._lease)
        self._open[transaction] = connection
        try:
            yield transaction
        finally:
            try:
                await transaction.end()
            finally:
                await self._release(transaction)

    async def reply(self, key: RequestKey) -> StoredReply | None:
        """The stored, unexpired reply."""
        return await self._read(reads.read_reply, key, self._now())

    async def session(self, ref: str, owner: str | None = None) -> SessionRow:
        """By id, prefix or label."""
        return await self._read(reads.read_session, ref, owner)

    async def sessions(self, wanted: SessionFilter, limit: int, before: tuple[int, str] | None) -> list[SessionRow]:
        """A page, newest first."""
        return await self._read(reads.read_sessions, wanted, limit, before)

    async def events(self, session_id: str, after: int, limit: int, types: Sequence[str] = ()) -> list[EventRow]:
        """A stretch of the log."""
        return await self._read(reads.read_events, session_id, after, limit, types)

    async def base(self, session_id: str) -> Session | None:
        """What a trimmed log begins with."""
        return await self._read(reads.read_base, session_id)

    async def scope(self, scope_id: str) -> ScopeRow:
        """A scope snapshot."""
        return await self._read(reads.read_scope, scope_id)

    async def sheet(self, sheet_id: str, owner: str | None = None) -> SheetRow:
        """A sheet with its source."""
        return await self._read(reads.read_sheet, sheet_id, owner)

    async def analysis(self, sheet_id: str) -> AnalysisRow | None:
        """The counts of the last parse."""
        return await self._read(reads.read_analysis, sheet_id)

    async def diagnostics(self, sheet_id: str, after: int, limit: int) -> list[Diagnostic]:
        """From position `after`, the first being 0."""
        return await self._read(reads.read_diagnostics, sheet_id, after, limit)

    async def references(
        self, sheet_id: str, after: int, limit: int, *, unresolved_only: bool
    ) -> list[tuple[int, ReferenceRow]]:
        """With positions, beyond `after`."""
        return await self._read(reads.read_references, sheet_id, after, limit, unresolved_only=unresolved_only)

    async def reference(self, sheet_id: str, ref_id: str) -> ReferenceRow | None:
        """One reference."""
        return await self._read(reads.read_reference, sheet_id, ref_id)

    async def resolutions(self, sheet_id: str) -> dict[str, tuple[str, Key]]:
        """The entity types and chosen keys by ref_id."""
        return await self._read(reads.read_resolutions, sheet_id)

    async def symbols(
        self, executions: Sequence[str], names: Sequence[str] | None, after: str, limit: int
    ) -> list[SymbolRow]:
        """Committed symbols by name."""
        return await self._read(reads.read_symbols, executions, names, after, limit)

    async def execution(self, execution_id: str, owner: str | None = None) -> ExecutionRow:
        """One execution."""
        return await self._read(reads.read_execution, execution_id, owner)

    async def executions(
        self, wanted: ExecutionFilter, limit: int, before: tuple[int, str] | None
    ) -> list[ExecutionRow]:
        """A page, newest submitted first."""
        return await self._read(reads.read_executions, wanted, limit, before)

    async def approval(self, approval_id: str) -> Approval:
        """One approval."""
        return await self._read(approvals.read_approval, approval_id)

    async def approvals(self, wanted: ApprovalFilter, limit: int, before: tuple[int, str] | None) -> list[Approval]:
        """A page, newest requested first."""
        return await self._read(approvals.read_approvals, wanted, limit, before)

    async def waiting(self, limit: int, without: Collection[str] = ()) -> list[ExecutionRow]:
        """Who is next."""
        return await self._read(queue.read_waiting, self._now(), limit, without)

    async def queue(self) -> QueueRow:
        """How the queue stands."""
        return await self._read(queue.read_queue)

    async def waiting_count(self, limit: int) -> int:
        """How many wait."""
        return await self._read(queue.read_waiting_count, limit)

    async def queue_counts(self) -> QueueCounts:
        """Every execution, counted."""
        return await self._read(queue.read_queue_counts)

    async def receipts(self, execution_id: str, after: int, limit: int) -> list[ReceiptRow]:
        """A stretch of an execution's receipts."""
        return await self._read(queue.read_receipts, execution_id, after, limit)

    async def results(
        self, execution: ExecutionRow, after: int, limit: int, statuses: Sequence[int]
    ) -> list[ResultRow]:
        """By statement index, beyond `after`."""
        return await self._read(reads.read_results, execution, after, limit, statuses)

    async def effects(
        self, execution: ExecutionRow, after: int, limit: int, wanted: EffectFilter
    ) -> list[tuple[int, RowEffect]]:
        """With their positions, beyond `after`."""
        return await self._read(effects.read_effects, execution, after, limit, wanted)

    async def existing(self, entity: Entity, keys: Sequence[Key]) -> set[Key]:
        """Which of these keys rows have."""
        return await self._look_up(lookups.find_existing, entity, keys) if keys else set()

    async def keys(self, entity: Entity, equals: Mapping[str, str], limit: int) -> list[Key]:
        """Keys of rows with these texts."""
        return await self._look_up(lookups.find_keys, entity, equals, limit)

    async def named(self, entity: Entity, texts: Sequence[str]) -> dict[str, list[Key]]:
        """Keys of rows with these names."""
        return await self._look_up(lookups.find_named, entity, texts) if texts else {}

    async def similar(self, entity: Entity, text: str, limit: int) -> list[Candidate]:
        """Rows that may be meant."""
        return await self._read(lookups.find_similar, entity, text, limit)

    async def displays(self, entity: Entity, keys: Sequence[Key]) -> dict[Key, str]:
        """The display text of rows."""
        return await self._look_up(lookups.find_displays, entity, keys) if keys else {}

    async def describe(self, tables: Sequence[str]) -> Mapping[str, Table]:
        """The live shape of tables."""
        return await self._read(describe_tables, list(tables))

    async def check(self) -> None:
        """Reads; and finds out whether another database has taken the place of this one, or one that only reads."""
        try:
            found = await self._read_within(self._readers.timeout, reads.read_incarnation)
        except (*DATABASE_ERRORS, Interrupted) as error:
            raise away() from error
        if found != self.about.incarnation:
            raise away()

    async def prepare(self, catalog: Catalog, handlers: Handlers = NO_HANDLERS) -> None:
        """The catalog whose verbs runs will write."""
        names = sorted(catalog.tables)
        columns = {name: await self._read(read_columns, name) for name in names}
        tables = await self.describe(names)
        self._compiled = Compiled(catalog, Live(columns, tables), Calling(catalog, handlers, tables))

    async def run_script(self, sql: str) -> None:
        """Statements that make an example's tables, in one transaction."""
        async with self.begin() as transaction:
            await transaction.run_script(sql)
        self._columns.clear()

    async def close(self) -> None:
        """Rolls back what is open and closes every connection; again: does nothing. Cancelled, cuts the connections."""
        if self._closed:
            return
        self._closed = True
        if self._compiled is not None:
            self._compiled.calling.threads.close()
        for pool in self._pools:
            pool.closed = True
        try:
            await asyncio.gather(*map(self._abort, list(self._open)))
            await asyncio.gather(*(pool.close() for pool in self._pools))
        except asyncio.CancelledError:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Breaks every connection."""
        for pool in self._pools:
            pool.abandon()

    async def _abort(self, transaction: PostgresTransaction) -> None:
        await transaction.abort()
        await self._release(transaction)

    async def _release(self, transaction: PostgresTransaction) -> None:
        """Gives the transaction's connection back, once."""
        connection = self._open.pop(transaction, None)
        if connection is not None:
            await settled(asyncio.ensure_future(self._writers.give(connection)))

    async def _read_ids(self, query: str, *values: object) -> list[str]:
        return await self._read(reads.read_ids, query, *values)

    async def _look_up(
        self,
        function: "Callable[Concatenate[Connection, Mapping[str, LiveColumn], Entity, P], Awaitable[T]]",
        entity: Entity,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        columns = self._columns.get(entity.table)
        if columns is None:
            columns = await self._read(read_columns, entity.table)
            if columns:
                self._columns[entity.table] = columns
        return await self._read(function, columns, entity, *args, **kwargs)

    async def _read(
        self,
        function: "Callable[Concatenate[Connection, P], Awaitable[T]]",
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        return await self._read_within(ANSWER_SECONDS, function, *args, **kwargs)

    async def _read_within(
        self,
        seconds: float,
        function: "Callable[Concatenate[Connection, P], Awaitable[T]]",
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """What `function` reads; once more where the connection turned out to be gone, or the database wants it."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._readers.connection() as connection:
                    with answering(connection, seconds):
                        return await function(connection, *args, **kwargs)
            except TimeoutError as error:
                raise away() from error
            except DATABASE_ERRORS as error:
                refusal = refusal_of(error)
                if refusal is None:
                    raise
                if attempt == _ATTEMPTS or not (isinstance(refusal, Repeat) or is_lost(error)):
                    raise (conflict() if isinstance(refusal, Repeat) else refusal) from error
                if self._closed:
                    raise closed() from error
        raise conflict()


async def open_postgres(
    url: str,
    *,
    writer_timeout: float,
    pool_size: int = 10,
    query_timeout: float = 600.0,
    now: Callable[[], int] = wall_clock,
    replica: str = "",
    lease: float = 10.0,
) -> PostgresStore:
    """The store at a URL as libpq has them.

    `writer_timeout` (seconds) is how long a connection, or a row that another command holds, is waited for;
    `query_timeout` how long one query may take; `pool_size` how many connections transactions may have, and
    reads as many again, with a few for leases. `replica` is the server's name among those that share the database, ""
    for a program that runs nothing; `lease` is how many seconds a claimed execution is its owner's unless renewed.
    """
    common = {
        "application_name": application_name(replica),
        "default_transaction_isolation": "read committed",
        "lock_timeout": _milliseconds(writer_timeout),
        "statement_timeout": _milliseconds(query_timeout),
        "TimeZone": "UTC",
        "DateStyle": "ISO, YMD",
    }
    # A server that is stopped in the middle of a transaction holds locks: others end it, and so does the database.
    idle = _milliseconds(max(lease, _SHORTEST_IDLE))
    writers = Pool(url, pool_size, writer_timeout, query_timeout, idle_in_transaction_session_timeout=idle, **common)
    readers = Pool(url, pool_size, writer_timeout, query_timeout, default_transaction_read_only="on", **common)
    side = Pool(url, CONNECTIONS, writer_timeout, query_timeout, **common)
    leases = PostgresLeases(side, replica, lease) if replica else None
    store = PostgresStore(writers, readers, side, query_timeout, now, leases=leases, lease=lease)
    try:
        await store.start()
    except BaseException:
        await store.close()
        raise
    return store


def _milliseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 1000)))

"""`Store` on SQLite: one connection that writes, a few that read, a thread each.

Reads run on read-only connections and see the last commit, whatever the writer is doing (WAL). The writer belongs to
one transaction at a time; who waits for it too long is told to come back.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

from sheetgrpc.catalog.database import Table
from sheetgrpc.catalog.model import Catalog, Entity
from sheetgrpc.clock import wall_clock
from sheetgrpc.dsl.diagnostics import Diagnostic
from sheetgrpc.errors import Reason, Unavailable
from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.planning.model import Key
from sheetgrpc.session.approvals import Approval
from sheetgrpc.session.model import Session
from sheetgrpc.store.base import About
from sheetgrpc.store.calling.batch import Calling
from sheetgrpc.store.packing import EffectFilter
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
from sheetgrpc.store.sqlite import approvals, effects, lookups, queue, reads
from sheetgrpc.store.sqlite.checkpoints import Checkpoints
from sheetgrpc.store.sqlite.connection import Place, claim, connect_copier, connect_reader, connect_writer, identify
from sheetgrpc.store.sqlite.migrations import migrate
from sheetgrpc.store.sqlite.statements import Compiled, compile_catalog
from sheetgrpc.store.sqlite.tasks import SQLiteTasks
from sheetgrpc.store.sqlite.transaction import SQLiteTransaction
from sheetgrpc.store.sqlite.upkeep import SQLiteUpkeep
from sheetgrpc.store.sqlite.worker import Worker
from sheetgrpc.store.waiting import busy
from sheetgrpc.trust.model import NO_HANDLERS, Handlers

P = ParamSpec("P")
T = TypeVar("T")

_READERS = 3
_RETRY_AFTER = 1.0  # seconds
_NEAR_CACHE = 8192  # KiB: the keys of 100,000 sessions and their labels, and a page is not fetched for each read
_NEAR_BYTES = 16384  # of a sheet that is read on the loop
_NEAR_EVENTS = 4  # so many are read on the loop: watchers that are woken read the one that woke them


class SQLiteStore:
    """`store.base.Store` on SQLite; made by `open_sqlite`."""

    about: About
    upkeep: SQLiteUpkeep
    tasks: SQLiteTasks
    leases = None

    def __init__(
        self, place: Place, released: ExitStack, *, writer_timeout: float, busy_timeout: float, now: Callable[[], int]
    ) -> None:
        """Takes `released` over: it is closed when the last connection is."""
        self._released = released
        self._place = place
        self._path = str(place.path)
        self._file = identify(self._path)
        self._writer_timeout = writer_timeout
        self._now = now
        self._lock = asyncio.Lock()
        self._waiting = 0  # for it
        self._compiled: Compiled | None = None
        self._writer = Worker("sqlite-writer", partial(connect_writer, place, busy_timeout=busy_timeout))
        self._checkpoints = Checkpoints(partial(connect_copier, place))
        self._connect_near = partial(connect_reader, place, busy_timeout=0)
        self._near: sqlite3.Connection | None = None
        self._readers = [
            Worker(f"sqlite-reader-{number}", partial(connect_reader, place, busy_timeout=busy_timeout))
            for number in range(_READERS)
        ]
        self.upkeep = SQLiteUpkeep(self.begin, self._readers[-1])
        self.tasks = SQLiteTasks(self._read, self._read_near)

    async def start(self) -> None:
        """Connects and brings the schema up to date. Raises StoreRefused, and Unavailable where the file is broken."""
        await self._writer.open()
        incarnation = await self._writer.run(migrate, self._now())
        self.about = About(
            kind="sqlite",
            version=sqlite3.sqlite_version,
            schema_version=load_migrations("sqlite")[-1].version,
            incarnation=incarnation,
            persistent=not self._place.temporary,
        )
        await self._checkpoints.open()
        for reader in self._readers:
            await reader.open()
        self._near = self._connect_near()
        self._near.execute(f"PRAGMA cache_size = -{_NEAR_CACHE}")

    @property
    def commits(self) -> int | None:
        """Those of the one writer that there is."""
        return self._writer.commits

    @property
    def idle(self) -> bool:
        """Whether the writer is nobody's: a transaction's BEGIN goes with its first statement."""
        return not self._lock.locked() and not self._waiting

    def begin(self) -> "_Turn":
        """The writer, waited for at most the writer timeout."""
        return _Turn(
            SQLiteTransaction(self._writer, self._compiled, self._now, self._read_near),
            self._take_writer,
            self._give_back,
        )

    async def reply(self, key: RequestKey) -> StoredReply | None:
        """The stored, unexpired reply."""
        return await self._read_near(reads.read_reply, key, self._now())

    async def session(self, ref: str, owner: str | None = None) -> SessionRow:
        """By id, prefix or label."""
        return await self._read_near(reads.read_session, ref, owner)

    async def sessions(self, wanted: SessionFilter, limit: int, before: tuple[int, str] | None) -> list[SessionRow]:
        """A page, newest first."""
        return await self._read(reads.read_sessions, wanted, limit, before)

    async def events(self, session_id: str, after: int, limit: int, types: Sequence[str] = ()) -> list[EventRow]:
        """A stretch of the log."""
        read = self._read_near if limit <= _NEAR_EVENTS and not types else self._read
        return await read(reads.read_events, session_id, after, limit, types)

    async def base(self, session_id: str) -> Session | None:
        """What a trimmed log begins with."""
        return await self._read(reads.read_base, session_id)

    async def scope(self, scope_id: str) -> ScopeRow:
        """A scope snapshot."""
        return await self._read(reads.read_scope, scope_id)

    async def sheet(self, sheet_id: str, owner: str | None = None) -> SheetRow:
        """A sheet with its source."""
        small = await self._read_near(reads.find_sheet, sheet_id, owner, _NEAR_BYTES)
        return small if small is not None else await self._read(reads.read_sheet, sheet_id, owner)

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
        return await self._read_near(reads.read_execution, execution_id, owner)

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
        return await self._read_near(queue.read_waiting, self._now(), limit, without)

    async def queue(self) -> QueueRow:
        """How the queue stands."""
        return await self._read_near(queue.read_queue)

    async def waiting_count(self, limit: int) -> int:
        """How many wait."""
        return await self._read_near(queue.read_waiting_count, limit)

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
        return await self._read(lookups.find_existing, entity, keys) if keys else set()

    async def keys(self, entity: Entity, equals: Mapping[str, str], limit: int) -> list[Key]:
        """Keys of rows with these texts."""
        return await self._read(lookups.find_keys, entity, equals, limit)

    async def named(self, entity: Entity, texts: Sequence[str]) -> dict[str, list[Key]]:
        """Keys of rows with these names."""
        return await self._read(lookups.find_named, entity, texts) if texts else {}

    async def similar(self, entity: Entity, text: str, limit: int) -> list[Candidate]:
        """Rows that may be meant."""
        return await self._read(lookups.find_similar, entity, text, limit)

    async def displays(self, entity: Entity, keys: Sequence[Key]) -> dict[Key, str]:
        """The display text of rows."""
        return await self._read(lookups.find_displays, entity, keys) if keys else {}

    async def describe(self, tables: Sequence[str]) -> Mapping[str, Table]:
        """The live shape of tables."""
        return await self._read(reads.describe_tables, tables)

    async def check(self) -> None:
        """Reads; and writes, if the last who did failed."""
        self._check_place()
        await self._read_near(reads.read_meta, "incarnation")
        if self._writer.failed:
            async with self.begin() as transaction:
                await transaction.touch()

    async def prepare(self, catalog: Catalog, handlers: Handlers = NO_HANDLERS) -> None:
        """The catalog whose verbs runs will write."""
        calling = Calling(catalog, handlers, await self.describe(sorted(catalog.tables)))
        self._compiled = compile_catalog(catalog, calling)

    async def run_script(self, sql: str) -> None:
        """Statements that make an example's tables, in one transaction."""
        async with self.begin() as transaction:
            await transaction.run_script(sql)

    async def close(self) -> None:
        """Rolls back what is open, closes every connection, releases the lock; again: does nothing."""
        with self._released:
            if self._compiled is not None:
                self._compiled.calling.threads.close()
            if self._near is not None:
                self._near.close()
                self._near = None
            # The writer last: the last connection to leave folds the log into the file, and a reader could not.
            await _close_all([self._checkpoints, *self._readers, self._writer])

    def _check_place(self) -> None:
        """Refuses to write to a file that was moved away or removed: SQLite would, and the next start find nothing."""
        if identify(self._path) != self._file:
            raise Unavailable(
                Reason.STORE_UNAVAILABLE, "the database is not at its place; try again", retry_after=_RETRY_AFTER
            )

    async def _take_writer(self) -> None:
        self._check_place()
        if self.idle:
            await self._lock.acquire()  # had at once
            return
        self._waiting += 1
        try:
            async with asyncio.timeout(self._writer_timeout):
                await self._lock.acquire()
        except TimeoutError:
            raise busy() from None
        finally:
            self._waiting -= 1

    def _give_back(self, transaction: SQLiteTransaction) -> None:
        self._lock.release()
        if transaction.committed:
            self._checkpoints.note()

    async def _read(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        reader = min(self._readers, key=lambda worker: worker.waiting)
        return await reader.run(function, *args, **kwargs)

    async def _read_near(
        self, function: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """A row or two by key, read on the loop: 10 us, where a hop to a thread and back is 50 to 100.

        It never waits: where SQLite would, a reader's thread does.
        """
        if self._near is not None:
            try:
                return function(self._near, *args, **kwargs)
            except sqlite3.OperationalError:
                pass  # busy, or worse: the long way tells which
        return await self._read(function, *args, **kwargs)


class _Turn:
    """A transaction from when the writer is had until it is given back."""

    def __init__(
        self,
        transaction: SQLiteTransaction,
        take: Callable[[], Awaitable[None]],
        give_back: Callable[[SQLiteTransaction], None],
    ) -> None:
        self._transaction = transaction
        self._take = take
        self._give_back = give_back

    async def __aenter__(self) -> SQLiteTransaction:
        await self._take()
        return self._transaction

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._transaction.end()
        finally:
            self._give_back(self._transaction)


async def open_sqlite(
    path: str, *, writer_timeout: float, busy_timeout: float, now: Callable[[], int] = wall_clock
) -> SQLiteStore:
    """The store at `path`, ":memory:" for one that goes when it is closed; times in seconds."""
    with ExitStack() as released:
        place = claim(path, released)
        kept = released.pop_all()
    store = SQLiteStore(place, kept, writer_timeout=writer_timeout, busy_timeout=busy_timeout, now=now)
    try:
        await store.start()
    except BaseException:
        await store.close()
        raise
    return store


async def _close_all(workers: Sequence[Worker | Checkpoints]) -> None:
    cancelled = None
    for worker in workers:
        try:
            await worker.close()
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled

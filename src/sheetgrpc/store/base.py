"""What the engine asks of a database: a few coarse calls, each one trip.

`Store` reads without waiting for writers. `Transaction` is the one writer's: `open` reads what no other writer changes
meanwhile, `apply` writes batches of a plan, `commit` writes a command's changes and commits. Everything a command
writes is in one transaction, or nothing is. Errors raised by all of them: Unavailable(STORE_BUSY | STORE_UNAVAILABLE |
SHUTTING_DOWN). A caller that is cancelled gets its CancelledError once the database is done with the call, never
before.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from sheetgrpc.catalog.database import Table
from sheetgrpc.catalog.model import Catalog, Entity
from sheetgrpc.dsl.diagnostics import Diagnostic
from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.planning.model import Key, Plan, Results
from sheetgrpc.session.approvals import Approval
from sheetgrpc.session.model import Session
from sheetgrpc.session.tasks import Task
from sheetgrpc.store.leases import Leases
from sheetgrpc.store.packing import EffectFilter, Piece
from sheetgrpc.store.queue import QueueChange, QueueCounts, QueueRow, ReceiptRow
from sheetgrpc.store.records import (
    AnalysisRow,
    ApprovalFilter,
    Candidate,
    Changes,
    EventRow,
    ExecutionFilter,
    ExecutionRow,
    Held,
    Opened,
    ReferenceRow,
    RequestKey,
    ResultRow,
    ScopeRow,
    Seen,
    SessionFilter,
    SessionRow,
    SheetRow,
    StoredReply,
    SymbolRow,
)
from sheetgrpc.store.tasks import TaskChanges, TaskKey, TaskReads
from sheetgrpc.store.upkeep import Upkeep
from sheetgrpc.trust.model import NO_HANDLERS, Handlers


class StoreRefused(Exception):  # reads as what it is
    """A database that must not be served as it is. The text is for whoever starts the server, never for a client."""


class ConstraintViolated(Exception):  # as above
    """A deferred constraint of the user's tables failed at COMMIT: nothing of the transaction is there."""

    def __init__(self, constraint: str) -> None:
        """`constraint` names the table and columns where the database tells."""
        super().__init__(f"{constraint} does not hold")
        self.constraint = constraint


class Interrupted(Exception):  # as above
    """`interrupt` hit the running statement, or the database itself ended the transaction: nothing of it is there."""


class Transaction(Protocol):
    """The writer, for as long as one command or one run needs it. Leaving the context without commit rolls back."""

    committed: bool
    """Whether its commit has taken effect, as is known of one, too, whose caller was cancelled meanwhile."""

    async def open(
        self, session_id: str | None, key: RequestKey | None, label: str = "", seen: Seen | None = None
    ) -> Opened:
        """The session (None: none is meant), the reply of `key`, who has `label`: as they are, and stay till commit.

        Where nothing was committed since the session was `seen`, it is not read again, and of a reply nothing is told:
        the commit is refused if there is one.
        """
        ...

    async def claim(self, execution: ExecutionRow) -> bool:
        """True if the stored execution still has this state and epoch, and stays so till commit (DESIGN section 7)."""
        ...

    async def hold(self, execution: ExecutionRow, *, lapsed: bool = False) -> Held | None:
        """As `claim`, and nobody else changes the execution from now on till commit; None where `claim` is False.

        `lapsed`: None too while its owner keeps its lease.
        """
        ...

    async def ask(self, execution: ExecutionRow, by: str, at: int) -> bool:
        """Asks whoever runs the execution to stop, from commit on; False if that is too late, or another was first.

        Only where several servers share the database: `Store.leases` is there.
        """
        ...

    async def recheck(self, plan: Plan, results: Results) -> None:
        """Dooms the statements whose resolved keys have no row any more (`results.doomed`)."""
        ...

    async def apply(self, plan: Plan, first: int, last: int, results: Results, *, collect: bool) -> int:
        """Writes batches `first..last-1` of the plan, filling `results`; answers how many batches were done.

        Stops after the first batch with a failing statement unless `collect`. Statements whose `results.status` is
        SKIPPED are left out. A failing statement leaves nothing of itself behind.
        """
        ...

    async def record(self, execution: ExecutionRow, plan: Plan, results: Results) -> None:
        """Writes the result row of every statement."""
        ...

    async def open_task(self, task_id: str, key: TaskKey | None) -> Task | None:
        """The task with this id, or else with this key: as it is, and stays till commit; None if there is none."""
        ...

    async def record_effects(self, execution: ExecutionRow, pieces: Sequence[Piece]) -> None:
        """Writes what the statements did to rows."""
        ...

    async def check_deferred(self) -> None:
        """Raises ConstraintViolated where `commit` would because of what the statements have written."""
        ...

    async def commit(self, changes: Changes | TaskChanges | QueueChange) -> None:
        """Writes the changes and commits. Raises ConstraintViolated where a deferred constraint fails here.

        An execution that leaves RUNNING leaves a receipt of that attempt, too.
        """
        ...

    def interrupt(self) -> None:
        """Makes the statement that runs now, if any, fail at once; safe from any task."""
        ...


class About(msgspec.Struct, frozen=True):
    """What database this is."""

    kind: str  # "sqlite", "postgresql"
    version: str  # of the database's own program
    schema_version: int  # number of the last migration of our tables
    incarnation: str  # of what is in it: stays over restarts, another after a restore
    shared: bool = False  # other servers may serve it at the same time
    persistent: bool = True  # False: it goes when the store is closed


class Store(Protocol):
    """A database with our tables and the user's."""

    about: About

    @property
    def upkeep(self) -> Upkeep:
        """What a sweeper asks of it."""
        ...

    @property
    def commits(self) -> int | None:
        """How many transactions were committed, or may have been, since the start; None where others write, too."""
        ...

    @property
    def idle(self) -> bool:
        """Whether a transaction would begin at once and without a trip to the database."""
        ...

    @property
    def tasks(self) -> TaskReads:
        """Tasks, read."""
        ...

    @property
    def leases(self) -> Leases | None:
        """How servers that share the database keep out of each other's way; None: it is this process's alone."""
        ...

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """The writer; waits for it at most the writer timeout, then Unavailable(STORE_BUSY)."""
        ...

    async def reply(self, key: RequestKey) -> StoredReply | None:
        """The stored, unexpired reply of a request id."""
        ...

    async def session(self, ref: str, owner: str | None = None) -> SessionRow:
        """By id (any case), else unique prefix of 6 or more, else label; NotFound, InvalidRequest(AMBIGUOUS).

        With an `owner` all others' sessions, prefixes and labels are not there.
        """
        ...

    async def sessions(self, wanted: SessionFilter, limit: int, before: tuple[int, str] | None) -> list[SessionRow]:
        """Newest created first, (created_at, id) before `before`."""
        ...

    async def events(self, session_id: str, after: int, limit: int, types: Sequence[str] = ()) -> list[EventRow]:
        """A session's events with a sequence beyond `after`, in order; of these types, if any are given."""
        ...

    async def base(self, session_id: str) -> Session | None:
        """What the session was before the first event that is kept; None where the log is whole."""
        ...

    async def scope(self, scope_id: str) -> ScopeRow:
        """A scope snapshot."""
        ...

    async def sheet(self, sheet_id: str, owner: str | None = None) -> SheetRow:
        """A sheet with its source; NotFound(SHEET_NOT_FOUND), also where its session is not this owner's."""
        ...

    async def analysis(self, sheet_id: str) -> AnalysisRow | None:
        """The counts of the sheet's last parse."""
        ...

    async def diagnostics(self, sheet_id: str, after: int, limit: int) -> list[Diagnostic]:
        """In source order, from position `after`."""
        ...

    async def references(
        self, sheet_id: str, after: int, limit: int, *, unresolved_only: bool
    ) -> list[tuple[int, ReferenceRow]]:
        """With their positions, from position beyond `after`, in statement order."""
        ...

    async def reference(self, sheet_id: str, ref_id: str) -> ReferenceRow | None:
        """One reference."""
        ...

    async def resolutions(self, sheet_id: str) -> dict[str, tuple[str, Key]]:
        """ref_id -> (entity type, key) of the sheet's references that have one."""
        ...

    async def symbols(
        self, executions: Sequence[str], names: Sequence[str] | None, after: str, limit: int
    ) -> list[SymbolRow]:
        """Committed symbols by name beyond `after`; of two executions the later binding of a name counts."""
        ...

    async def execution(self, execution_id: str, owner: str | None = None) -> ExecutionRow:
        """NotFound(EXECUTION_NOT_FOUND), also where its session is not this owner's."""
        ...

    async def executions(
        self, wanted: ExecutionFilter, limit: int, before: tuple[int, str] | None
    ) -> list[ExecutionRow]:
        """Newest submitted first."""
        ...

    async def approval(self, approval_id: str) -> Approval:
        """With its decisions; NotFound(APPROVAL_NOT_FOUND)."""
        ...

    async def approvals(self, wanted: ApprovalFilter, limit: int, before: tuple[int, str] | None) -> list[Approval]:
        """With their decisions, newest requested first, (requested_at, id) before `before`."""
        ...

    async def waiting(self, limit: int, without: Collection[str] = ()) -> list[ExecutionRow]:
        """The first of what is queued and due by `next_attempt_at`, next first: priority, then age, then id.

        `without` are executions that are not asked for.
        """
        ...

    async def queue(self) -> QueueRow:
        """How the queue stands."""
        ...

    async def waiting_count(self, limit: int) -> int:
        """How many executions are queued, due or not; counted up to `limit`."""
        ...

    async def queue_counts(self) -> QueueCounts:
        """All executions, counted; reads them all."""
        ...

    async def receipts(self, execution_id: str, after: int, limit: int) -> list[ReceiptRow]:
        """What became of an execution's attempts, by epoch beyond `after`."""
        ...

    async def results(
        self, execution: ExecutionRow, after: int, limit: int, statuses: Sequence[int]
    ) -> list[ResultRow]:
        """By statement index beyond `after`."""
        ...

    async def effects(
        self, execution: ExecutionRow, after: int, limit: int, wanted: EffectFilter
    ) -> list[tuple[int, RowEffect]]:
        """With their positions, beyond position `after`, by statement index."""
        ...

    async def existing(self, entity: Entity, keys: Sequence[Key]) -> set[Key]:
        """Which of these keys rows have."""
        ...

    async def keys(self, entity: Entity, equals: Mapping[str, str], limit: int) -> list[Key]:
        """Keys of rows whose columns equal these texts (none: all rows), in key order, at most `limit`."""
        ...

    async def named(self, entity: Entity, texts: Sequence[str]) -> dict[str, list[Key]]:
        """Keys of rows that have exactly this text in a search column; at most two a text (two: ambiguous)."""
        ...

    async def similar(self, entity: Entity, text: str, limit: int) -> list[Candidate]:
        """A bounded pool of rows that may be meant, unranked (score 0)."""
        ...

    async def displays(self, entity: Entity, keys: Sequence[Key]) -> dict[Key, str]:
        """The display text of rows."""
        ...

    async def describe(self, tables: Sequence[str]) -> Mapping[str, Table]:
        """The live shape of these tables; missing ones are left out."""
        ...

    async def check(self) -> None:
        """Raises Unavailable while the database does not answer, or has lost what it was given to write."""
        ...

    async def prepare(self, catalog: Catalog, handlers: Handlers = NO_HANDLERS) -> None:
        """Told once at start which verbs will be written, and who does the work of calls."""
        ...

    async def run_script(self, sql: str) -> None:
        """Runs an example's schema in one transaction; each statement ends a line."""
        ...

    async def close(self) -> None:
        """Closes every connection and releases the lock."""
        ...

"""The rows a store keeps, as values, and what a command wants written.

Nothing here knows a database. Times are microseconds since 1970 UTC.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from sheetgrpc.dsl.diagnostics import Diagnostic, Span
from sheetgrpc.planning.effects import RowEffect
from sheetgrpc.planning.model import Key, Reference, StatementError
from sheetgrpc.session.approvals import Approval, Decision
from sheetgrpc.session.events import Event
from sheetgrpc.session.model import ExecutionState, Mode, Session
from sheetgrpc.trust.model import TrustedModule


class SymbolRow(msgspec.Struct, frozen=True, gc=False):
    """A symbol that a committed execution bound."""

    name: str
    entity_type: str
    entity_id: Key
    execution_id: str


class SessionRow(msgspec.Struct, frozen=True):
    """A session with what is kept beside its fold; of its committed symbols the first 100 by name, and how many."""

    session: Session
    symbol_count: int = 0
    symbols: tuple[SymbolRow, ...] = ()
    active_at: int = 0  # the last sign of life
    oldest_sequence: int = 1  # of the events that are kept


class ScopeRow(msgspec.Struct, frozen=True):
    """An immutable scope snapshot."""

    id: str
    session_id: str
    entity_type: str
    source: str
    keys: Sequence[Key]


class SheetRow(msgspec.Struct, frozen=True):
    """An immutable sheet. A generated one knows its scope: statement i is of entity i // template_statements."""

    id: str
    session_id: str
    digest: str
    source: bytes
    statement_count: int
    created_at: int
    scope_id: str = ""
    template_statements: int = 0


class AnalysisRow(msgspec.Struct, frozen=True):
    """What the last ParseSheet of a sheet found, in counts."""

    sheet_id: str
    catalog_digest: str
    statement_count: int
    phase_count: int
    error_count: int
    warning_count: int
    unresolved_count: int


class TableCounts(msgspec.Struct, frozen=True):
    """Rows an execution touched in one table."""

    table: str
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0


class EffectChange(msgspec.Struct, frozen=True):
    """Where the effects of a run differ from those that were planned; None: there is none on that side."""

    planned: RowEffect | None
    actual: RowEffect | None


class ExecutionError(msgspec.Struct, frozen=True):
    """Why an execution ended as it did; `statement_index` and `span` are None where no statement is to blame.

    `changes` are of PLAN_STALE alone: the first of what changed since the plan.
    """

    code: str
    message: str
    statement_index: int | None = None
    span: Span | None = None  # of that statement
    changes: tuple[EffectChange, ...] = ()


class ExecutionRow(msgspec.Struct, frozen=True):
    """One run of one sheet. `number` orders results on disk and is the store's; 0 before the row is written."""

    id: str
    session_id: str
    sheet_id: str
    sheet_digest: str
    mode: Mode
    state: ExecutionState
    submitted_at: int
    statements_total: int
    phases_total: int
    timeout: int | None = None  # microseconds
    epoch: int = 0
    started_at: int | None = None
    ended_at: int | None = None
    phases_completed: int = 0
    status_counts: dict[str, int] = {}
    tables: tuple[TableCounts, ...] = ()
    error: ExecutionError | None = None
    number: int = 0
    cancelled_by: str = ""  # who asked for the cancel that ended it, and when
    cancelled_at: int | None = None
    priority: int = 0  # higher is sooner
    retry_count: int = 0  # attempts that failed and were followed by another
    deferral_count: int = 0  # times that the database had no room for it when its turn came
    next_attempt_at: int | None = None  # not begun before then, while it is queued
    replay_of: str = ""  # id of the execution that this one does again
    replica: str = ""  # the one that claimed it last
    submitted_by: str = ""  # the caller; "" of one from before callers were told
    approval_id: str = ""  # what it was submitted with, and uses if it commits
    dry_run: bool = False  # always rolled back; its session stays READY
    plan_digest: str = ""  # of a dry run: what it found; else what it must find again, "" for whatever it finds
    max_rows_affected: int | None = None
    table_budgets: dict[str, int] = {}  # table -> rows that it may change there
    trusted_modules: tuple[TrustedModule, ...] = ()  # that its call verbs ran; before its plan is known: may run

    @property
    def plans(self) -> bool:
        """True where the run keeps its effects."""
        return self.dry_run or bool(self.plan_digest)

    @property
    def committed(self) -> bool:
        """True where something of its sheet is in the database."""
        return self.state.committed and not self.dry_run


class Held(msgspec.Struct, frozen=True):
    """A claim that nobody else changes for now; who asked for its end by way of the database, and when, if anybody."""

    cancelled_by: str = ""
    cancelled_at: int | None = None


class ResultRow(msgspec.Struct, frozen=True, gc=False):
    """One statement of one execution. `effect` is 0 for none."""

    index: int
    depth: int
    status: int
    effect: int
    key: Key | None
    micros: int
    error: StatementError | None = None
    rows: list[dict[str, Any]] | None = None


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A row that a name might mean; score 0..1."""

    entity_id: Key
    display: str
    score: float


class ReferenceRow(msgspec.Struct, frozen=True, gc=False):
    """A reference of a parsed sheet, with ranked candidates while open (and after, as they were)."""

    reference: Reference
    candidates: tuple[Candidate, ...] = ()


class RequestKey(msgspec.Struct, frozen=True):
    """What a request id is unique within. `target` is the `session` (or `execution`) field as it was sent."""

    caller: str
    method: str
    target: str
    request_id: str


class StoredReply(msgspec.Struct, frozen=True):
    """An accepted command's answer. `fingerprint` is of the request's content; `execution_id` where it is about one."""

    key: RequestKey
    fingerprint: bytes
    reply: bytes
    session_id: str
    expires_at: int
    execution_id: str = ""


class Changes(msgspec.Struct, kw_only=True):
    """All that one command writes, in one transaction. `session` is the state after `events`.

    `active_at` is the sign of life that the command is, None if it is none. With `seen_active_at` the session must
    have no later sign of life than that, else Conflict.
    """

    session: Session
    events: tuple[Event, ...]
    active_at: int | None = None
    seen_active_at: int | None = None
    created: bool = False  # the session row is new
    relabelled: bool = True  # False: its labels are known to be as they were
    reply: StoredReply | None = None
    scope: ScopeRow | None = None
    sheet: SheetRow | None = None
    analysis: AnalysisRow | None = None
    diagnostics: Sequence[Diagnostic] | None = None  # with `analysis`: replaces the sheet's
    references: Sequence[ReferenceRow] | None = None  # with `analysis`: replaces the sheet's
    unparsed: str = ""  # a sheet of which nothing is known any more, as before its first parse
    resolved: dict[str, Key] | None = None  # ref_id -> key, of `session.sheet`
    execution: ExecutionRow | None = None  # inserted (number 0) or updated
    moved_from: ExecutionRow | None = None  # updated only while the stored one has this state and epoch, else Conflict
    phases_reached: int = 0  # by the attempt that is over, where the execution itself begins again
    most_waiting: int | None = None  # inserted only into a queue of fewer that takes any, else QUEUE_FULL, QUEUE_PAUSED
    symbols: "SymbolChange | None" = None
    loser: "Moved | None" = None  # who had the label that `session` has now
    approval: "ApprovalChange | None" = None
    replies: tuple[StoredReply, ...] = ()  # of cancels that were answered before they could be written


class ApprovalChange(msgspec.Struct, frozen=True):
    """An approval as it is after this command: new at revision 1, else with a revision more than the stored one has."""

    approval: Approval
    decision: Decision | None = None  # that was added


class Moved(msgspec.Struct, frozen=True):
    """Another session that the same command changes. `session` is the state after `events`."""

    session: Session
    events: tuple[Event, ...]


class SymbolChange(msgspec.Struct):
    """The session's committed symbols after this command: the count and the first 100 by name."""

    count: int
    first: tuple[SymbolRow, ...]


class Seen(msgspec.Struct, frozen=True):
    """What a command read before it took the writer: this row. `commits` is what `Store.commits` was before that.

    Of a reply to its request id nothing is known; where there is one, the commit is refused.
    """

    commits: int | None
    row: SessionRow | None


class Opened(msgspec.Struct, frozen=True):
    """What a transaction sees when it begins. `holder` is the session that has the label asked about."""

    row: SessionRow | None
    reply: StoredReply | None
    holder: SessionRow | None = None


class EventRow(msgspec.Struct, frozen=True):
    """One event and its place in its session's log, from 1 without gaps."""

    sequence: int
    event: Event


class SessionFilter(msgspec.Struct, frozen=True):
    """Which sessions to list; empty means all. Newest created first.

    Created at `created_after` or later, and before `created_before`; None: at any time.
    """

    states: tuple[str, ...] = ()
    lifecycles: tuple[str, ...] = ()
    label: str = ""
    role: str = ""
    task_id: str = ""
    parent_id: str = ""
    client_name: str = ""
    client_target: str = ""
    created_after: int | None = None
    created_before: int | None = None
    owner: str | None = None  # None: whoever's


class ExecutionFilter(msgspec.Struct, frozen=True):
    """Which executions to list; empty means all. Newest submitted first.

    Submitted at `submitted_after` or later, and before `submitted_before`; None: at any time. Dead letters are those
    that FAILED and that nobody has replayed.
    """

    session_id: str = ""
    states: tuple[str, ...] = ()
    submitted_after: int | None = None
    submitted_before: int | None = None
    dead_letters_only: bool = False
    replay_of: str = ""
    owner: str | None = None  # None: whoever's


class ApprovalFilter(msgspec.Struct, frozen=True):
    """Which approvals to list; empty means all. Newest requested first."""

    states: tuple[str, ...] = ()
    session_id: str = ""
    plan_digest: str = ""
    execution_id: str = ""  # the plan
    sheet_id: str = ""
    requested_by: str | None = None  # None: whoever

"""What the engine answers with: sessions, sheets, statements as a caller sees them. Values only.

Embedded lists hold the first `EMBEDDED` items; the List RPCs page the rest.
"""

import msgspec

from sheetgrpc.dsl.diagnostics import Diagnostic, Span
from sheetgrpc.planning.model import Key
from sheetgrpc.session.approvals import Approval
from sheetgrpc.session.cancelling import CancelOutcome
from sheetgrpc.session.tasks import Task
from sheetgrpc.store.records import EventRow, ExecutionRow, ReferenceRow, ResultRow, SessionRow, StoredReply
from sheetgrpc.store.tasks import Belonging

EMBEDDED = 1000


class SessionView(msgspec.Struct, frozen=True):
    """A session, what may be done with it now, and how far its execution is (live while it runs)."""

    row: SessionRow
    allowed_actions: tuple[str, ...]
    progress_completed: int
    progress_total: int
    expires_at: int | None = None  # or is purged, once it has ended; None while nothing makes it


class PhaseView(msgspec.Struct, frozen=True):
    """All statements of one depth; the lists are cut to the first 1,000."""

    depth: int
    statement_count: int
    statement_indices: list[int]
    produces: list[str]
    consumes: list[str]


class DiagnosticView(msgspec.Struct, frozen=True):
    """A finding and where it is."""

    diagnostic: Diagnostic
    span: Span


class ReferenceView(msgspec.Struct, frozen=True):
    """A reference, its candidates, and where it is. `position` pages."""

    position: int
    row: ReferenceRow
    span: Span


class SheetView(msgspec.Struct, frozen=True):
    """A sheet with what its last parse found. `id` and `session_id` are empty for CheckSheet."""

    id: str
    session_id: str
    digest: str
    statement_count: int
    phase_count: int
    error_count: int
    warning_count: int
    unresolved_count: int
    created_at: int
    phases: list[PhaseView] = []
    diagnostics: list[DiagnosticView] = []
    unresolved_references: list[ReferenceView] = []


class ResolvedArgument(msgspec.Struct, frozen=True):
    """An entity argument that was a name or a key: the key and the display text of its row."""

    name: str
    entity_id: Key
    display: str


class StatementView(msgspec.Struct, frozen=True):
    """One statement. `depth` is None and `status` below RESOLVED while the sheet is not parsed clean."""

    index: int
    source: str
    verb: str
    depth: int | None
    produces: str
    consumes: list[str]
    entity_id: Key | None
    template_statement: int | None
    span: Span
    status: int  # planning.model.Status
    resolved_arguments: list[ResolvedArgument]


class ResultView(msgspec.Struct, frozen=True):
    """One statement's result; the span is there for failures."""

    row: ResultRow
    span: Span | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What a command led to; `sheet`, `execution`, `events`, `approval` where the RPC answers with them."""

    session: SessionView
    sheet: SheetView | None = None
    execution: ExecutionRow | None = None
    events: tuple[EventRow, ...] = ()
    approval: Approval | None = None


class CancelView(msgspec.Struct, frozen=True):
    """What a cancel came to; execution and session as they stand with the answer."""

    outcome: CancelOutcome
    execution: ExecutionRow
    session: SessionView


class StatusView(msgspec.Struct, frozen=True):
    """How far a session (`session`) or a task (`task`) is, with the tasks that belong to it."""

    belonging: Belonging
    session: SessionView | None = None
    task: Task | None = None


class Reply(msgspec.Struct, frozen=True):
    """An encoded answer. `stored` is there where the request had a request_id; `replayed` if it was answered before."""

    body: bytes
    stored: StoredReply | None
    replayed: bool

"""A session as a value: what the left fold of its events holds.

Layers (scope, template, sheet, execution) hold ids and digests, never bodies. Everything here is frozen; a new state is
a new value. Persisted with msgspec, so fields are only ever added, with defaults.
"""

from enum import StrEnum
from typing import Any

import msgspec

ANONYMOUS = "anonymous"
"""Who calls where nobody is identified, and who owns what came about before anybody was."""
MAX_LABELS = 100
"""Labels a session may have at one time."""
MAX_METADATA_BYTES = 64 * 1024
"""Bytes that a session's metadata may take."""
MAX_UNDO = 50
"""Steps that can be undone; the oldest is forgotten."""
MAX_ENTRIES = 100
"""Lines of a terminal that one command records."""


class State(StrEnum):
    """Where a session stands on its way from nothing to an applied sheet (DESIGN section 3)."""

    EMPTY = "EMPTY"
    SCOPED = "SCOPED"
    TEMPLATED = "TEMPLATED"
    GENERATED = "GENERATED"
    PARSED = "PARSED"
    RESOLVING = "RESOLVING"
    READY = "READY"
    EXECUTING = "EXECUTING"
    EXECUTED = "EXECUTED"


class Lifecycle(StrEnum):
    """Whether a session is alive."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    EXPIRED = "EXPIRED"

    @property
    def terminal(self) -> bool:
        """True once nothing can change any more."""
        return self not in (Lifecycle.PENDING, Lifecycle.ACTIVE)


class ExecutionState(StrEnum):
    """Where an execution stands (DESIGN section 7)."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    COMMITTING = "COMMITTING"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    ROLLED_BACK = "ROLLED_BACK"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    INTERRUPTED = "INTERRUPTED"

    @property
    def committed(self) -> bool:
        """True where something of the sheet is in the database: the sheet is spent."""
        return self in (ExecutionState.SUCCEEDED, ExecutionState.PARTIAL)

    @property
    def terminal(self) -> bool:
        """True once the execution is over."""
        return self not in (
            ExecutionState.QUEUED,
            ExecutionState.RUNNING,
            ExecutionState.CANCELLING,
            ExecutionState.COMMITTING,
        )


class Mode(StrEnum):
    """What a failing statement does to the others (DESIGN section 7)."""

    ATOMIC = "ATOMIC"
    ATOMIC_COLLECT = "ATOMIC_COLLECT"
    BEST_EFFORT = "BEST_EFFORT"


class EntryKind(StrEnum):
    """What a line of a terminal is."""

    PROMPT = "PROMPT"
    SYSTEM = "SYSTEM"
    COMMAND = "COMMAND"
    WARN = "WARN"
    ALERT = "ALERT"


class TaskKind(StrEnum):
    """What a task asks for."""

    NOTIFICATION = "NOTIFICATION"
    APPROVAL = "APPROVAL"
    ROUTING = "ROUTING"


class TaskState(StrEnum):
    """Where a task stands."""

    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"

    @property
    def terminal(self) -> bool:
        """True once nothing can change any more."""
        return self not in (TaskState.PENDING, TaskState.ACTIVE)


class Entry(msgspec.Struct, frozen=True):
    """A line of a terminal, or several that belong together."""

    kind: EntryKind
    text: str
    data: dict[str, Any] = {}  # JSON values; msgspec copies the default


class Client(msgspec.Struct, frozen=True):
    """What the caller said of itself when it created the session."""

    name: str = ""
    version: str = ""
    target: str = ""


class Scope(msgspec.Struct, frozen=True):
    """A scope snapshot: `id` names the immutable row that holds the keys; `source` is the selector in words."""

    id: str
    entity_type: str
    entity_count: int
    source: str


class Template(msgspec.Struct, frozen=True):
    """An intent: DSL text with a placeholder named after `target_entity_type`."""

    source: str
    target_entity_type: str
    confirmed: bool = False


class Choice(msgspec.Struct, frozen=True, gc=False):
    """What a person said that a reference means; of every reference of the same type and text, if asked."""

    ref_id: str
    entity_id: str
    same_text: bool = False


class Sheet(msgspec.Struct, frozen=True):
    """The current sheet and what its last parse found; counts are zero before ParseSheet."""

    id: str
    digest: str
    statement_count: int = 0
    phase_count: int = 0
    error_count: int = 0
    warning_count: int = 0
    unresolved_count: int = 0
    catalog_digest: str = ""  # of the catalog it was parsed with; "" before
    spent: bool = False
    choices: tuple[Choice, ...] = ()  # made by ResolveReference, oldest first


class Layers(msgspec.Struct, frozen=True):
    """What can be undone of a session. Committed symbols, labels, names, lifecycle and leases cannot."""

    state: State = State.EMPTY
    scope: Scope | None = None
    template: Template | None = None
    sheet: Sheet | None = None
    last_execution_id: str = ""
    last_execution_succeeded: bool = False
    progress_completed: int = 0
    progress_total: int = 0


class Session(msgspec.Struct, frozen=True):
    """One session. `version` is the sequence of its last event; times are microseconds since 1970 UTC."""

    id: str
    version: int = 0
    state: State = State.EMPTY
    lifecycle: Lifecycle = Lifecycle.PENDING
    name: str = ""
    client: Client = Client()
    role: str = ""
    task_id: str = ""
    metadata: dict[str, Any] = {}  # JSON values; msgspec copies the default
    labels: tuple[str, ...] = ()
    parent_id: str = ""
    scope: Scope | None = None
    template: Template | None = None
    sheet: Sheet | None = None
    execution_id: str = ""  # the running one, or ""
    last_execution_id: str = ""
    last_execution_succeeded: bool = False
    committed: tuple[str, ...] = ()  # executions whose symbols later sheets may use, oldest first
    progress_completed: int = 0  # of the last execution that ended, in statements
    progress_total: int = 0
    created_at: int = 0
    updated_at: int = 0
    ended_at: int | None = None
    undo: tuple[int, ...] = ()  # sequences of the log whose layers UndoSession restores, the last first
    redo: tuple[int, ...] = ()  # as `undo`, for RedoSession
    lease: int | None = None  # microseconds without a sign of life after which it expires; None: retention alone
    owner: str = ANONYMOUS  # the caller that created it; for every other one it is not there

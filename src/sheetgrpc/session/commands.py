"""What a session may be asked to do: one frozen struct a command, with the facts that were worked out before.

The machine is pure, so a command brings what text, catalog and database have to say: how many errors a parse found,
how many entities a selector matched. Nothing here decides whether the command is legal: see table.py and machine.py.
"""

from typing import Any, Literal, TypeAlias

import msgspec

from sheetgrpc.session.model import Client, Entry, ExecutionState, Layers, Lifecycle, Mode, Scope, Sheet, State


class CreateSession(msgspec.Struct, frozen=True, kw_only=True):
    """Open a session; its id is the draw's."""

    name: str = ""
    client: Client = Client()
    role: str = ""
    task_id: str = ""
    metadata: dict[str, Any] = {}  # JSON values; msgspec copies the default
    labels: tuple[str, ...] = ()
    lease: int | None = None  # microseconds


class ForkSession(msgspec.Struct, frozen=True, kw_only=True):
    """Open a session with the layers that another had at a sequence of its log; its id is the draw's."""

    parent_id: str
    parent_sequence: int
    layers: Layers
    committed: tuple[str, ...]
    name: str = ""
    client: Client = Client()
    role: str = ""
    task_id: str = ""
    metadata: dict[str, Any] = {}  # JSON values; msgspec copies the default


class SetScope(msgspec.Struct, frozen=True, kw_only=True):
    """Work on the entities of this snapshot from now on."""

    scope: Scope


class ClearScope(msgspec.Struct, frozen=True):
    """Forget the scope and all that stands on it."""


class SetTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """Say what to do to each entity; `source` was parsed and does use its placeholder."""

    source: str
    target_entity_type: str


class ConfirmIntent(msgspec.Struct, frozen=True):
    """Confirm the template as it stands."""


class GenerateSheet(msgspec.Struct, frozen=True, kw_only=True):
    """Make this sheet, the expansion of template and scope, the current one."""

    sheet: Sheet


class ImportSheet(msgspec.Struct, frozen=True, kw_only=True):
    """Make this sheet, given as text by the caller, the current one."""

    sheet: Sheet


class ParseSheet(msgspec.Struct, frozen=True, kw_only=True):
    """Take note of what an analysis of the current sheet found; `error_count` has the syntax errors in it."""

    sheet_id: str
    syntax_error_count: int
    error_count: int
    warning_count: int
    unresolved_count: int
    statement_count: int
    phase_count: int
    catalog_digest: str


class ResolveReference(msgspec.Struct, frozen=True, kw_only=True):
    """Bind a reference to an entity; the counts are those after it.

    `phase_count` of None means that the phases are as before: resolved keys can move statements to another phase.
    """

    ref_id: str
    entity_id: str
    unresolved_count: int
    apply_to_same_text: bool = False
    phase_count: int | None = None


class SubmitSheet(msgspec.Struct, frozen=True, kw_only=True):
    """Queue an execution of the current sheet; `catalog_digest` is of the catalog that the server has now."""

    execution_id: str
    confirm: bool
    catalog_digest: str
    mode: Mode = Mode.ATOMIC


class PlanSheet(msgspec.Struct, frozen=True, kw_only=True):
    """Queue a dry run of the current sheet; what becomes of it the session never hears."""

    execution_id: str
    catalog_digest: str


class CancelExecution(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for the end of the running execution. What follows for the session is FinishExecution's to tell."""

    execution_id: str


class FinishExecution(msgspec.Struct, frozen=True, kw_only=True):
    """Take note of how the running execution ended, in statements; no caller sends this, the executor does."""

    execution_id: str
    state: ExecutionState
    completed: int
    total: int
    stale: bool = False  # nothing ran to its end, as the plan that it was bound to no longer holds


class ResetSession(msgspec.Struct, frozen=True, kw_only=True):
    """Go back to SCOPED, or to EMPTY and forget the symbols of earlier executions too."""

    to: State


class UndoSession(msgspec.Struct, frozen=True, kw_only=True):
    """Go back to the layers of `sequence`, the last of the session's `undo`; `layers` are what they are now."""

    sequence: int
    layers: Layers


class RedoSession(msgspec.Struct, frozen=True, kw_only=True):
    """Take an UndoSession back: `sequence` is the last of the session's `redo`."""

    sequence: int
    layers: Layers


class CloseSession(msgspec.Struct, frozen=True, kw_only=True):
    """End the session as COMPLETED or FAILED."""

    outcome: Lifecycle


class RenewSession(msgspec.Struct, frozen=True):
    """Show a sign of life and nothing else: no event, the same version."""


class ExpireSession(msgspec.Struct, frozen=True, kw_only=True):
    """End the session because nothing happened for too long; no caller sends this, the server does."""

    by: Literal["lease", "retention"]


class LabelSession(msgspec.Struct, frozen=True, kw_only=True):
    """Give the session a label; whoever has it loses it (see details.py)."""

    label: str


class UpdateSession(msgspec.Struct, frozen=True, kw_only=True):
    """Change what the session says of itself; None leaves a field as it is, "" clears it.

    `metadata` is a JSON merge patch (RFC 7396): objects are merged, a null removes its key.
    """

    name: str | None = None
    role: str | None = None
    task_id: str | None = None
    metadata: dict[str, Any] | None = None  # JSON values


class AppendSessionEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Record these lines of a terminal, an event each."""

    entries: tuple[Entry, ...]


Command: TypeAlias = (
    CreateSession
    | ForkSession
    | SetScope
    | ClearScope
    | SetTemplate
    | ConfirmIntent
    | GenerateSheet
    | ImportSheet
    | ParseSheet
    | ResolveReference
    | SubmitSheet
    | PlanSheet
    | CancelExecution
    | FinishExecution
    | ResetSession
    | UndoSession
    | RedoSession
    | CloseSession
    | RenewSession
    | ExpireSession
    | LabelSession
    | UpdateSession
    | AppendSessionEvents
)

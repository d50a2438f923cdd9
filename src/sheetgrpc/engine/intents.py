"""What a caller asks for, in the service's own words: one value a changing RPC, already checked for form.

An intent says what; the machine's command (session/commands.py) says what follows for the session once texts have been
parsed and rows looked up. `Envelope` is what every changing request carries beside it.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from sheetgrpc.session.approvals import Verdict
from sheetgrpc.session.model import Client, Entry, Lifecycle, Mode, State, TaskKind
from sheetgrpc.session.tasks import TaskReader, TaskUpdate


class Envelope(msgspec.Struct, frozen=True):
    """Who asks, through which RPC, of what, and how often at most.

    `session` is the field as it was sent ("" for CreateSession); of CancelExecution and ReplayExecution it is
    `execution`, and for the latter `names_execution` says so; of UpdateTask `task`, of DecideApproval `approval`.
    `fingerprint` is
    of the request's content without request_id and expected_version, looked at only where there is a `request_id`.
    """

    caller: str
    method: str
    session: str = ""
    request_id: str = ""
    fingerprint: bytes = b""
    expected_version: int | None = None
    approval: str = ""  # what is decided: its session is changed, whoever's that is
    names_execution: bool = False
    reader: TaskReader | None = None  # with whose eyes tasks are seen; None where callers are not told apart


class CreateSession(msgspec.Struct, frozen=True):
    """A new, empty session."""

    name: str = ""
    client: Client = Client()
    role: str = ""
    task_id: str = ""
    metadata: Mapping[str, Any] = {}
    labels: tuple[str, ...] = ()
    lease: int | None = None  # microseconds


class SetScope(msgspec.Struct, frozen=True):
    """Which entities: exactly one of `entity_ids` (texts as sent), `equals` (column -> text), `all`."""

    entity_type: str
    entity_ids: tuple[str, ...] | None = None
    equals: Mapping[str, str] | None = None
    all: bool = False


class ClearScope(msgspec.Struct, frozen=True):
    """No entities any more."""


class SetTemplate(msgspec.Struct, frozen=True):
    """What to do to each; "" for `target_entity_type` means the scope's."""

    source: str
    target_entity_type: str = ""


class ConfirmIntent(msgspec.Struct, frozen=True):
    """Yes, this template for this scope."""


class GenerateSheet(msgspec.Struct, frozen=True):
    """The template for every entity of the scope."""


class ImportSheet(msgspec.Struct, frozen=True):
    """A sheet as text, taken byte for byte."""

    source: str


class ParseSheet(msgspec.Struct, frozen=True):
    """Analyse the current sheet."""


class ResolveReference(msgspec.Struct, frozen=True):
    """This name means that row; for every reference of the same type and text if asked."""

    ref_id: str
    entity_id: str
    apply_to_same_text: bool = False


class SubmitSheet(msgspec.Struct, frozen=True):
    """Run the current sheet. `timeout` in microseconds, None for the setting's; a higher `priority` is sooner."""

    confirm: bool
    mode: Mode = Mode.ATOMIC
    timeout: int | None = None
    priority: int = 0
    replay_of: str = ""  # id of the execution that is done again
    plan_digest: str = ""  # what the run must find; "" for whatever it finds
    max_rows_affected: int | None = None
    table_budgets: Mapping[str, int] = {}  # table -> rows that may be changed there
    approval_id: str = ""


class PlanSheet(msgspec.Struct, frozen=True):
    """Say what running the current sheet would do. `timeout` in microseconds, None for the setting's."""

    timeout: int | None = None


class RequestApproval(msgspec.Struct, frozen=True):
    """Ask others to approve the plan of this digest."""

    plan_digest: str
    notes: str = ""


class DecideApproval(msgspec.Struct, frozen=True):
    """Approve or reject."""

    approval: str
    verdict: Verdict
    notes: str = ""


class ReplayExecution(msgspec.Struct, frozen=True):
    """Do again what an execution was to do that has ended and committed nothing."""

    execution: str
    confirm: bool


class CancelExecution(msgspec.Struct, frozen=True):
    """Stop an execution; wait for its end at most `wait` microseconds. Judged by the execution, not by its session."""

    execution: str
    wait: int = 0


class ResetSession(msgspec.Struct, frozen=True):
    """Back to SCOPED or EMPTY."""

    to: State


class UndoSession(msgspec.Struct, frozen=True):
    """Back to before the last step."""


class RedoSession(msgspec.Struct, frozen=True):
    """Back to before the last undo."""


class ForkSession(msgspec.Struct, frozen=True):
    """Another session with this one's layers as of `at_sequence`, 0 for now; "" for `name` means its name too."""

    at_sequence: int = 0
    name: str = ""


class CloseSession(msgspec.Struct, frozen=True):
    """No more of this session; COMPLETED or FAILED."""

    outcome: Lifecycle


class RenewSession(msgspec.Struct, frozen=True):
    """Still here."""


class LabelSession(msgspec.Struct, frozen=True):
    """Found by this label from now on, whoever had it."""

    label: str


class UpdateSession(msgspec.Struct, frozen=True):
    """Other words about the session; None leaves a field as it is. `metadata` is merged, a null removes its key."""

    name: str | None = None
    role: str | None = None
    task_id: str | None = None
    metadata: Mapping[str, Any] | None = None


class AppendSessionEvents(msgspec.Struct, frozen=True):
    """Lines of a terminal for the log, all or none."""

    entries: tuple[Entry, ...]


class CreateTask(msgspec.Struct, frozen=True):
    """A task; at most one under an `idempotency_key`, of which `fingerprint` tells what it stands for."""

    kind: TaskKind
    description: str
    from_role: str
    to_role: str
    data: Mapping[str, Any] = {}
    trace_id: str = ""
    session: str = ""
    parent: str = ""
    idempotency_key: str = ""
    fingerprint: bytes = b""


class UpdateTask(msgspec.Struct, frozen=True):
    """A task that goes on; the envelope's `session` is its id."""

    update: TaskUpdate


TaskIntent = CreateTask | UpdateTask
Intent = (
    CreateSession
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
    | RequestApproval
    | DecideApproval
    | ReplayExecution
    | ResetSession
    | UndoSession
    | RedoSession
    | ForkSession
    | CloseSession
    | RenewSession
    | LabelSession
    | UpdateSession
    | AppendSessionEvents
)

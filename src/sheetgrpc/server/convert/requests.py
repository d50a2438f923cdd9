"""Reads requests: into intents for what changes something, into filters and positions for what reads.

Each function notes on the form what is wrong, so that it is told all at once; what it then answers is not to be used
before the form is `done`. What needs the catalog, the database or the session's state to be judged is the engine's.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

from google.protobuf.struct_pb2 import Struct

from sheetgrpc.config import PAGE_DEFAULT, PAGE_LIMIT
from sheetgrpc.engine import intents
from sheetgrpc.errors import limit_exceeded
from sheetgrpc.server.convert.enums import EXECUTION_STATES, LIFECYCLES, MODES, QUEUE_MODES, STATES, STATUSES
from sheetgrpc.server.convert.form import TEXT_LENGTH, Form
from sheetgrpc.server.convert.plans import read_budgets, read_digest
from sheetgrpc.server.convert.values import read_struct, read_time, read_timeout
from sheetgrpc.session.events import TYPES
from sheetgrpc.session.model import MAX_METADATA_BYTES, Client, Lifecycle, Mode, State
from sheetgrpc.store.queue import QueueMode
from sheetgrpc.store.records import ExecutionFilter, SessionFilter
from sheetgrpc.v1 import (
    catalog_service_pb2,
    control_service_pb2,
    execution_pb2,
    execution_service_pb2,
    session_pb2,
    session_service_pb2,
    sheet_service_pb2,
)

TargetRequest: TypeAlias = (
    sheet_service_pb2.GetSheetRequest
    | sheet_service_pb2.ListStatementsRequest
    | sheet_service_pb2.ListPhasesRequest
    | sheet_service_pb2.ListDiagnosticsRequest
    | sheet_service_pb2.ListReferencesRequest
)

MAX_TEMPLATE_BYTES = 1024 * 1024  # a session carries its template in every answer

_OUTCOMES = {LIFECYCLES.write(outcome): outcome for outcome in (Lifecycle.COMPLETED, Lifecycle.FAILED)}
_UPDATES = ("name", "role", "task_id", "metadata")
_PRIORITY = 100  # highest, and with a minus lowest
_SHOWN = 20  # bad values of one field that are told
_RESETS = {STATES.write(state): state for state in (State.SCOPED, State.EMPTY)}


def read_create_session(
    form: Form, request: session_service_pb2.CreateSessionRequest, max_lease: int
) -> intents.CreateSession:
    """CreateSession; `max_lease` in microseconds."""
    return intents.CreateSession(
        name=form.text("name", request.name),
        client=read_client(form, request.client),
        role=form.text("role", request.role),
        task_id=form.text("task_id", request.task_id),
        metadata=_read_metadata(form, request.metadata),
        labels=form.labels("labels", list(request.labels)),
        lease=_read_lease(form, request, max_lease),
    )


def read_fork_session(form: Form, request: session_service_pb2.ForkSessionRequest) -> intents.ForkSession:
    """ForkSession."""
    if request.at_sequence < 0:
        form.refuse("at_sequence", "must not be negative")
    return intents.ForkSession(at_sequence=request.at_sequence, name=form.text("name", request.name))


def read_client(form: Form, client: session_pb2.Client) -> Client:
    """What a caller says of itself."""
    return Client(
        name=form.text("client.name", client.name),
        version=form.text("client.version", client.version),
        target=form.text("client.target", client.target),
    )


def _read_lease(form: Form, request: session_service_pb2.CreateSessionRequest, longest: int) -> int | None:
    if not request.HasField("lease"):
        return None
    lease = read_timeout(form, "lease", request.lease)
    if lease > longest:
        form.refuse("lease", f"must be at most {longest / 1_000_000:g} seconds, as long as sessions are kept")
    return lease


def read_label_session(form: Form, request: session_service_pb2.LabelSessionRequest) -> intents.LabelSession:
    """LabelSession."""
    return intents.LabelSession(label=form.label("label", request.label))


def read_update_session(form: Form, request: session_service_pb2.UpdateSessionRequest) -> intents.UpdateSession:
    """UpdateSession; without a mask, the fields that are not empty."""
    given = request.name, request.role, request.task_id, request.HasField("metadata")
    unnamed = (field for field, value in zip(_UPDATES, given, strict=True) if value)
    named = set(request.update_mask.paths if request.HasField("update_mask") else unnamed)
    for path in sorted(named - set(_UPDATES))[:_SHOWN]:
        form.refuse("update_mask", f'"{path[:TEXT_LENGTH]}" is none of {", ".join(_UPDATES)}')
    if not named:
        form.refuse("update_mask", "must name a field to change, or a field must be given")
    name = form.text("name", request.name)
    role = form.text("role", request.role)
    task_id = form.text("task_id", request.task_id)
    metadata = _read_metadata(form, request.metadata)
    return intents.UpdateSession(
        name=name if "name" in named else None,
        role=role if "role" in named else None,
        task_id=task_id if "task_id" in named else None,
        metadata=metadata if "metadata" in named else None,
    )


def read_event_types(form: Form, types: Sequence[str]) -> tuple[str, ...]:
    """The types of events that are asked for, each once; none for all."""
    wanted = tuple(dict.fromkeys(types))
    for name in [name for name in wanted if name not in TYPES][:_SHOWN]:
        form.refuse("types", f'"{name[:TEXT_LENGTH]}" is none of {", ".join(sorted(TYPES))}')
    return wanted


def read_after_sequence(form: Form, sequence: int) -> int:
    """The sequence after which events are asked for."""
    if sequence < 0:
        form.refuse("after_sequence", "must not be negative")
    return sequence


def _read_metadata(form: Form, metadata: Struct) -> dict[str, Any]:  # Any: JSON values
    if (size := metadata.ByteSize()) > MAX_METADATA_BYTES:
        form.refuse("metadata", f"has {size:,} bytes; {MAX_METADATA_BYTES:,} are allowed")
    return read_struct(form, "metadata", metadata)


def read_close_session(form: Form, request: session_service_pb2.CloseSessionRequest) -> intents.CloseSession:
    """CloseSession."""
    if (outcome := _OUTCOMES.get(request.outcome)) is None:
        form.refuse("outcome", "must be COMPLETED or FAILED")
    return intents.CloseSession(outcome=outcome or Lifecycle.COMPLETED)


def read_reset_session(form: Form, request: session_service_pb2.ResetSessionRequest) -> intents.ResetSession:
    """ResetSession."""
    if (to := _RESETS.get(request.to)) is None:
        form.refuse("to", "must be SCOPED or EMPTY")
    return intents.ResetSession(to=to or State.EMPTY)


def read_set_scope(form: Form, request: session_service_pb2.SetScopeRequest, max_entities: int) -> intents.SetScope:
    """SetScope; LimitExceeded for more keys than `max_entities`."""
    entity_type = form.name("entity_type", request.entity_type)
    ids: tuple[str, ...] | None = None
    equals: dict[str, str] | None = None
    match request.WhichOneof("selector"):
        case "entity_ids":
            ids = _read_keys(form, request.entity_ids.ids, max_entities)
        case "filter":
            equals = dict(request.filter.equals)
            if not equals:
                form.refuse("filter.equals", "must name a column; to take every entity, set all")
            for column, value in equals.items():
                form.name("filter.equals", column)
                form.text(f"filter.equals[{column[:TEXT_LENGTH]}]", value)
        case "all":
            if not request.all:
                form.refuse("all", "must be true")
        case _:
            form.refuse("selector", "must be one of entity_ids, filter and all")
    return intents.SetScope(entity_type=entity_type, entity_ids=ids, equals=equals, all=request.all)


def _read_keys(form: Form, keys: Sequence[str], limit: int) -> tuple[str, ...]:
    if len(keys) > limit and (distinct := len(set(keys))) > limit:
        raise limit_exceeded("entities of a scope", limit=limit, actual=distinct)
    return form.keys("entity_ids.ids", keys)


def read_set_template(form: Form, request: session_service_pb2.SetTemplateRequest) -> intents.SetTemplate:
    """SetTemplate; LimitExceeded for a text beyond MAX_TEMPLATE_BYTES."""
    source = form.source("source", request.source)
    target = form.name("target_entity_type", request.target_entity_type, required=False)
    if (size := len(source) if source.isascii() else len(source.encode())) > MAX_TEMPLATE_BYTES:
        raise limit_exceeded("bytes of template", limit=MAX_TEMPLATE_BYTES, actual=size)
    return intents.SetTemplate(source=source, target_entity_type=target)


def read_import_sheet(_form: Form, request: sheet_service_pb2.ImportSheetRequest) -> intents.ImportSheet:
    """ImportSheet. Any text is taken, the empty one too: it is judged by ParseSheet."""
    return intents.ImportSheet(source=request.source)


def read_resolve_reference(form: Form, request: sheet_service_pb2.ResolveReferenceRequest) -> intents.ResolveReference:
    """ResolveReference."""
    return intents.ResolveReference(
        ref_id=form.name("ref_id", request.ref_id),
        entity_id=form.text("entity_id", request.entity_id, required=True),
        apply_to_same_text=request.apply_to_same_text,
    )


def read_submit_sheet(
    form: Form,
    request: execution_service_pb2.SubmitSheetRequest | execution_service_pb2.ExecuteSheetRequest,
) -> intents.SubmitSheet:
    """SubmitSheet and ExecuteSheet; an absent mode is ATOMIC. Without `confirm` the engine refuses it."""
    mode: Mode | None = Mode.ATOMIC
    if request.mode != execution_pb2.EXECUTION_MODE_UNSPECIFIED:
        mode = MODES.read(form, "mode", request.mode)
    timeout = read_timeout(form, "timeout", request.timeout) if request.HasField("timeout") else None
    if abs(request.priority) > _PRIORITY:
        form.refuse("priority", f"must be from {-_PRIORITY} to {_PRIORITY}")
    most, tables = read_budgets(form, request)
    return intents.SubmitSheet(
        confirm=request.confirm,
        mode=mode or Mode.ATOMIC,
        timeout=timeout,
        priority=request.priority,
        plan_digest=read_digest(form, request.plan_digest),
        max_rows_affected=most,
        table_budgets=tables,
        approval_id=form.name("approval_id", request.approval_id, required=False).upper(),
    )


def read_replay_execution(form: Form, request: execution_service_pb2.ReplayExecutionRequest) -> intents.ReplayExecution:
    """ReplayExecution. Without `confirm` the engine refuses it."""
    return intents.ReplayExecution(execution=form.name("execution", request.execution).upper(), confirm=request.confirm)


def read_pause_queue(form: Form, request: control_service_pb2.PauseQueueRequest) -> QueueMode:
    """The mode of PauseQueue; an absent one is HOLD."""
    if request.mode == control_service_pb2.QUEUE_MODE_UNSPECIFIED:
        return QueueMode.HOLD
    mode = QUEUE_MODES.read(form, "mode", request.mode)
    if mode is QueueMode.RUNNING:
        form.refuse("mode", "must be HOLD, REJECT or DRAIN; to let the queue run, call ResumeQueue")
    elif request.module and mode is not QueueMode.HOLD:
        form.refuse("mode", "must be HOLD where a module is paused")
    return mode or QueueMode.HOLD


def read_cancel_execution(form: Form, request: execution_service_pb2.CancelExecutionRequest) -> intents.CancelExecution:
    """CancelExecution; an absent wait is none."""
    return intents.CancelExecution(
        execution=form.name("execution", request.execution).upper(),
        wait=read_timeout(form, "wait", request.wait, least=0),
    )


def read_session_filter(
    form: Form, request: session_service_pb2.ListSessionsRequest, owner: str | None = None
) -> SessionFilter:
    """The filters of ListSessions, over the sessions of one owner; None: whoever's."""
    return SessionFilter(
        states=STATES.read_all(form, "states", request.states),
        lifecycles=LIFECYCLES.read_all(form, "lifecycles", request.lifecycles),
        label=form.name("label", request.label.strip(), required=False),
        role=form.text("role", request.role),
        task_id=form.text("task_id", request.task_id),
        parent_id=form.name("parent_id", request.parent_id, required=False).upper(),
        client_name=form.text("client_name", request.client_name),
        client_target=form.text("client_target", request.client_target),
        created_after=(
            read_time(form, "created_after", request.created_after) if request.HasField("created_after") else None
        ),
        created_before=(
            read_time(form, "created_before", request.created_before) if request.HasField("created_before") else None
        ),
        owner=owner,
    )


def read_execution_filter(
    form: Form, request: execution_service_pb2.ListExecutionsRequest, owner: str | None = None
) -> ExecutionFilter:
    """The filters of ListExecutions, over those of one owner; the session as it was named."""
    return ExecutionFilter(
        session_id=form.name("session", request.session, required=False),
        states=EXECUTION_STATES.read_all(form, "states", request.states),
        owner=owner,
        submitted_after=(
            read_time(form, "submitted_after", request.submitted_after) if request.HasField("submitted_after") else None
        ),
        submitted_before=(
            read_time(form, "submitted_before", request.submitted_before)
            if request.HasField("submitted_before")
            else None
        ),
        dead_letters_only=request.dead_letters_only,
        replay_of=form.name("replay_of", request.replay_of, required=False).upper(),
    )


def read_statuses(form: Form, request: execution_service_pb2.ListStatementResultsRequest) -> list[int]:
    """The statuses that ListStatementResults lets through."""
    statuses = STATUSES.read_all(form, "statuses", request.statuses)
    return [int(status) for status in statuses]


def read_depth(form: Form, request: sheet_service_pb2.ListStatementsRequest) -> int | None:
    """The phase that ListStatements is about; None for all."""
    if not request.HasField("depth"):
        return None
    if request.depth < 0:
        form.refuse("depth", "must not be negative")
    return request.depth


def read_search(form: Form, request: catalog_service_pb2.SearchEntitiesRequest) -> tuple[str, str, int]:
    """Entity type, text and number of candidates of SearchEntities."""
    entity_type = form.name("entity_type", request.entity_type)
    query = form.text("query", request.query, required=True)
    limit = form.count("limit", request.limit, default=PAGE_DEFAULT, limit=PAGE_LIMIT)
    return entity_type, query, limit


def read_target(form: Form, request: TargetRequest) -> tuple[str, str]:
    """The session and the sheet that a request's `target` means, one of them empty."""
    match request.WhichOneof("target"):
        case "session":
            return form.name("session", request.session), ""
        case "sheet_id":
            return "", form.name("sheet_id", request.sheet_id)
        case _:
            form.refuse("target", "must be session or sheet_id")
            return "", ""

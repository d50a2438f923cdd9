"""The wire as a contract: names, types and enum values that other programs are written against.

Read from the descriptors of the committed stubs; knows nothing of how a server answers.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from tests.rpc.approval_contract import APPROVAL_ENUMS, APPROVAL_FIELDS, APPROVAL_TWINS
from tests.rpc.catalog_contract import CATALOG_FIELDS
from tests.rpc.log_contract import LOG_ENUMS, LOG_FIELDS
from tests.rpc.plan_contract import PLAN_FIELDS
from tests.rpc.queue_contract import QUEUE_ENUMS, QUEUE_FIELDS
from tests.rpc.sheet_contract import SHEET_FIELDS
from tests.rpc.task_contract import TASK_ENUMS, TASK_FIELDS, TASK_RPCS

from sheetgrpc import errors, v1
from sheetgrpc.dsl import diagnostics
from sheetgrpc.session import cancelling, model
from sheetgrpc.store import queue

ROOT = Path(__file__).resolve().parents[2]

# Service to its RPCs; `?` marks those that change nothing, `>` those that stream.
RPCS = {
    "SessionService": (
        "CreateSession GetSession? ListSessions? CloseSession SetScope ClearScope SetTemplate ConfirmIntent"
        " ResetSession UndoSession RedoSession ForkSession RenewSession LabelSession UpdateSession AppendSessionEvents"
        " ListSessionEvents? WatchSession?>"
    ),
    "ApprovalService": "RequestApproval DecideApproval GetApproval? ListApprovals?",
    "SheetService": (
        "CheckSheet? ImportSheet GenerateSheet ParseSheet ResolveReference GetSheet? ListStatements? ListPhases?"
        " ListDiagnostics? ListReferences? ListSymbols?"
    ),
    "ExecutionService": (
        "SubmitSheet ExecuteSheet> PlanSheet WatchExecution?> GetExecution? ListExecutions? ListStatementResults?"
        " ListEffects? CancelExecution ReplayExecution ListReceipts?"
    ),
    "CatalogService": "GetCatalog? ListVerbs? SearchEntities?",
    "ControlService": "GetServerInfo? Ping? GetQueueStats? PauseQueue ResumeQueue",
    "TaskService": TASK_RPCS,
}

# Message to its fields. No type means string, `*` repeated, `?` a scalar whose absence is told from its zero.
CHANGING = "request_id expected_version:int64?"
PAGED = "page_size:int32 page_token"
ANSWERED_BY_SESSION = (
    "CreateSession UpdateSession LabelSession CloseSession RenewSession ResetSession SetScope ClearScope SetTemplate"
    " ConfirmIntent UndoSession RedoSession ForkSession"
)
UPDATE = (
    "epoch:int64 sequence:int64 resume_token time:Timestamp snapshot:Execution phase_started:PhaseStarted"
    " phase_completed:PhaseCompleted statements:StatementResults progress:Progress finished:Execution heartbeat:bool?"
)
FIELDS = {
    "Session": (
        "id name state:SessionState lifecycle:SessionLifecycle version:int64 intent_confirmed:bool"
        " unresolved_count:int32 progress:Progress scope:Scope template target_entity_type sheet_id sheet_digest"
        " last_execution_id last_execution_succeeded:bool symbol_count:int32 symbols:map<string,string> labels*"
        " parent_id allowed_actions* client:Client role task_id metadata:Struct event_count:int64 create_time:Timestamp"
        " update_time:Timestamp expire_time:Timestamp end_time:Timestamp oldest_sequence:int64 lease:Duration owner"
    ),
    "Progress": "completed:int32 total:int32",
    "Scope": "entity_type entity_count:int32 source",
    "Client": "name version target",
    "CreateSessionRequest": "name client:Client role task_id metadata:Struct labels* request_id lease:Duration",
    "CloseSessionRequest": f"session outcome:SessionLifecycle {CHANGING}",
    "SetScopeRequest": f"session entity_type entity_ids:EntityIds filter:EntityFilter all:bool? {CHANGING}",
    "RenewSessionRequest": f"session {CHANGING}",
    "LabelSessionRequest": f"session label {CHANGING}",
    "UpdateSessionRequest": f"session name role task_id metadata:Struct update_mask:FieldMask {CHANGING}",
    "WatchSessionRequest": "session after_sequence:int64 incarnation",
    "WatchSessionResponse": "event:SessionEvent bookmark:Bookmark reset:Reset",
    "Reset": "session:Session sequence:int64",
    "Bookmark": "sequence:int64",
    "EntityIds": "ids*",
    "EntityFilter": "equals:map<string,string>",
    **{f"{rpc}Request": f"session {CHANGING}" for rpc in ["ClearScope", "ConfirmIntent", "UndoSession", "RedoSession"]},
    "SetTemplateRequest": f"session source target_entity_type {CHANGING}",
    "ForkSessionRequest": f"session at_sequence:int64 name {CHANGING}",
    "ResetSessionRequest": f"session to:SessionState {CHANGING}",
    **{f"{rpc}Response": "session:Session" for rpc in ANSWERED_BY_SESSION.split()},
    **LOG_FIELDS,
    **PLAN_FIELDS,
    **TASK_FIELDS,
    "ListSessionsResponse": "sessions:Session* next_page_token",
    **SHEET_FIELDS,
    "WatchExecutionRequest": "execution resume_token include_results:bool",
    "GetExecutionRequest": "execution",
    "CancelExecutionRequest": "execution wait:Duration request_id",
    "CancelExecutionResponse": "outcome:CancelOutcome execution:Execution session:Session",
    "ListExecutionsRequest": (
        "session states:ExecutionState* submitted_after:Timestamp submitted_before:Timestamp dead_letters_only:bool"
        f" replay_of {PAGED}"
    ),
    **QUEUE_FIELDS,
    "ListStatementResultsRequest": f"execution statuses:StatementStatus* {PAGED}",
    "ExecuteSheetResponse": UPDATE,
    "WatchExecutionResponse": UPDATE,
    "GetExecutionResponse": "execution:Execution",
    "ListExecutionsResponse": "executions:Execution* next_page_token",
    "ListStatementResultsResponse": "results:StatementResult* next_page_token",
    "PhaseStarted": "depth:int32 statement_count:int32",
    "PhaseCompleted": "first_depth:int32 last_depth:int32 succeeded:int32 failed:int32 skipped:int32",
    "StatementResults": "results:StatementResult*",
    "StatusCount": "status:StatementStatus count:int32",
    "TableCounts": "table created:int32 updated:int32 unchanged:int32 deleted:int32",
    "ExecutionError": "code:StatementErrorCode message statement_index:int32? span:Span changes:EffectChange*",
    "StatementResult": (
        "index:int32 depth:int32 status:StatementStatus effect_kind:EffectKind returned_key rows:Struct*"
        " error:StatementError duration:Duration"
    ),
    "StatementError": "code:StatementErrorCode message detail span:Span blocked_by:int32?",
    **CATALOG_FIELDS,
    "TrustedModule": "module version sha256 signer",
    "GetServerInfoResponse": "server_info:ServerInfo",
    "ServerInfo": (
        "version catalog_digest incarnation limits:Limits persistent:bool queue_paused:bool replica"
        " trusted_modules:TrustedModule* authentication"
    ),
    **APPROVAL_FIELDS,
}

# Enum to the prefix of its values and the values in order, without the zero.
ENUMS = {
    "SessionState": (
        "SESSION_STATE_",
        "EMPTY SCOPED TEMPLATED GENERATED PARSED RESOLVING READY EXECUTING EXECUTED",
    ),
    "SessionLifecycle": ("SESSION_LIFECYCLE_", "PENDING ACTIVE COMPLETED FAILED EXPIRED"),
    **LOG_ENUMS,
    **QUEUE_ENUMS,
    **APPROVAL_ENUMS,
    **TASK_ENUMS,
    "ExecutionState": (
        "EXECUTION_STATE_",
        "QUEUED RUNNING CANCELLING COMMITTING SUCCEEDED PARTIAL ROLLED_BACK FAILED CANCELLED TIMED_OUT INTERRUPTED",
    ),
    "CancelOutcome": (
        "CANCEL_OUTCOME_",
        "CANCELLED_BEFORE_START CANCEL_REQUESTED ALREADY_CANCELLING TOO_LATE_COMMITTING ALREADY_FINISHED",
    ),
    "ExecutionMode": ("EXECUTION_MODE_", "ATOMIC ATOMIC_COLLECT BEST_EFFORT"),
    "StatementStatus": (
        "STATEMENT_STATUS_",
        "PENDING PARSED RESOLVED SUCCESS FAILED SKIPPED NOT_RUN ROLLED_BACK",
    ),
    "StatementErrorCode": (
        "STATEMENT_ERROR_CODE_",
        (
            "SYNTAX_ERROR UNRESOLVED_SYMBOL AMBIGUOUS_ENTITY ENTITY_NOT_FOUND TYPE_MISMATCH MISSING_REQUIRED"
            " INVALID_ARGUMENT DB_CONSTRAINT DB_CONNECTION TIMEOUT BLOCKED CYCLIC_DEPENDENCY ASSERTION_FAILED"
            " PERMISSION_DENIED CANCELLED PLAN_STALE INTERNAL BUDGET_EXCEEDED HANDLER_FAILED"
        ),
    ),
    "EffectKind": ("EFFECT_KIND_", "CREATED UPDATED UNCHANGED DELETED READ ASSERTED CALLED"),
    "DiagnosticSeverity": ("DIAGNOSTIC_SEVERITY_", "ERROR WARNING"),
    "DiagnosticCode": (
        "DIAGNOSTIC_CODE_",
        (
            "SYNTAX_ERROR UNKNOWN_VERB UNKNOWN_ARGUMENT DUPLICATE_ARGUMENT MISSING_REQUIRED TYPE_MISMATCH INVALID_VALUE"
            " UNDEFINED_SYMBOL DUPLICATE_BINDING SELF_REFERENCE BINDS_NOTHING UNUSED_BINDING DEPRECATED_VERB"
            " CYCLIC_DEPENDENCY MISSING_PARENT EMPTY_SHEET LIMIT_EXCEEDED TOO_DEEP"
        ),
    ),
    "ErrorReason": (
        "ERROR_REASON_",
        (
            "INVALID_FIELD INVALID_TEMPLATE REQUEST_ID_REUSED SESSION_AMBIGUOUS CONFIRMATION_REQUIRED LABEL_RESERVED"
            " SESSION_NOT_FOUND SHEET_NOT_FOUND EXECUTION_NOT_FOUND REFERENCE_NOT_FOUND ENTITY_NOT_FOUND LABEL_TAKEN"
            " ACTION_NOT_ALLOWED SESSION_CLOSED SESSION_EXPIRED SHEET_ALREADY_APPLIED EMPTY_SCOPE PLAN_STALE"
            " APPROVAL_REQUIRED RESPONSE_EVICTED VERSION_CONFLICT CONFLICT LIMIT_EXCEEDED QUEUE_FULL BUDGET_EXCEEDED"
            " STORE_UNAVAILABLE STORE_BUSY SHUTTING_DOWN OUTCOME_UNKNOWN INTERNAL_ERROR QUEUE_PAUSED UNAUTHENTICATED"
            " PERMISSION_DENIED APPROVAL_NOT_FOUND APPROVAL_DECIDED TASK_NOT_FOUND EXECUTION_NOT_REPLAYABLE"
        ),
    ),
}

# Our own enums and those of the wire that must say the same.
TWINS: list[tuple[type[StrEnum], str]] = [
    (model.State, "SessionState"),
    (model.Lifecycle, "SessionLifecycle"),
    (model.ExecutionState, "ExecutionState"),
    (model.Mode, "ExecutionMode"),
    (model.EntryKind, "SessionEntryKind"),
    (model.TaskKind, "TaskKind"),
    (model.TaskState, "TaskState"),
    (cancelling.CancelOutcome, "CancelOutcome"),
    *APPROVAL_TWINS,
    (queue.AttemptOutcome, "AttemptOutcome"),
    (queue.QueueMode, "QueueMode"),
    (diagnostics.DiagnosticCode, "DiagnosticCode"),
    (diagnostics.Severity, "DiagnosticSeverity"),
]

KINDS = {
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_DOUBLE: "double",
}


def load_files() -> Iterator[FileDescriptor]:
    for module in pkgutil.iter_modules(v1.__path__, f"{v1.__name__}."):
        loaded = importlib.import_module(module.name)
        if module.name.endswith("_pb2"):
            yield loaded.DESCRIPTOR


FILES = list(load_files())
MESSAGES: dict[str, Descriptor] = {
    name: message for file in FILES for name, message in file.message_types_by_name.items()
}
ENUM_TYPES: dict[str, EnumDescriptor] = {name: enum for file in FILES for name, enum in file.enum_types_by_name.items()}
METHODS: dict[str, MethodDescriptor] = {
    method.name: method
    for file in FILES
    for service in file.services_by_name.values()
    for method in service.methods_by_name.values()
}
READ_ONLY = {rpc.rstrip("?>") for rpcs in RPCS.values() for rpc in rpcs.split() if "?" in rpc}


def describe(field: FieldDescriptor) -> str:
    """A field in the notation of FIELDS."""
    message, enum = field.message_type, field.enum_type
    if message is not None and message.GetOptions().map_entry:
        key, value = (KINDS[message.fields_by_name[name].type] for name in ("key", "value"))
        return f"{field.name}:map<{key},{value}>"
    kind = message.name if message is not None else enum.name if enum is not None else KINDS[field.type]
    told = message is None and not field.is_repeated and field.has_presence
    return field.name + ("" if kind == "string" else f":{kind}") + "*" * field.is_repeated + "?" * told


def value_names(enum: EnumDescriptor) -> list[str]:
    return [value.name for value in sorted(enum.values, key=lambda value: value.number)]


def test_services_declare_what_is_built_and_nothing_else() -> None:
    declared = {
        name: {method.name: method.server_streaming for method in service.methods}
        for file in FILES
        for name, service in file.services_by_name.items()
    }
    assert declared == {
        service: {rpc.rstrip("?>"): rpc.endswith(">") for rpc in rpcs.split()} for service, rpcs in RPCS.items()
    }
    assert not any(method.client_streaming for method in METHODS.values())


def test_each_service_has_a_file_of_its_own() -> None:
    # The generator makes service stubs of `*_service.proto` alone.
    named = {file.name: len(file.services_by_name) for file in FILES if file.name.endswith("_service.proto")}
    assert set(named.values()) == {1}
    assert not [file.name for file in FILES if file.services_by_name and file.name not in named]


@pytest.mark.parametrize("name", sorted(METHODS))
def test_each_rpc_has_a_request_and_a_response_of_its_own_name(name: str) -> None:
    assert METHODS[name].input_type.name == f"{name}Request"
    assert METHODS[name].output_type.name == f"{name}Response"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_changing_requests_and_only_they_carry_a_request_id(name: str) -> None:
    fields = METHODS[name].input_type.fields_by_name
    assert ("request_id" in fields) is (name not in READ_ONLY)
    # What does not exist yet has no version to expect, a cancel is not judged by its session's, and the queue has none.
    unversioned = {"CreateSession", "CreateTask", "CancelExecution", "DecideApproval", "PauseQueue", "ResumeQueue"}
    assert ("expected_version" in fields) is (name not in READ_ONLY | unversioned)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_reading_rpcs_and_only_they_say_that_they_have_no_side_effects(name: str) -> None:
    level = METHODS[name].GetOptions().idempotency_level
    assert (level == MethodOptions.NO_SIDE_EFFECTS) is (name in READ_ONLY)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_lists_and_only_they_are_paged(name: str) -> None:
    request, response = METHODS[name].input_type.fields_by_name, METHODS[name].output_type.fields_by_name
    paged = name.startswith("List")
    assert {"page_size", "page_token"} & set(request) == ({"page_size", "page_token"} if paged else set())
    assert ("next_page_token" in response) is paged


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_message_has_the_fields_that_clients_count_on(name: str) -> None:
    missing = set(FIELDS[name].split()) - {describe(field) for field in MESSAGES[name].fields}
    assert not missing


def test_requests_and_responses_have_no_field_beyond_the_contract() -> None:
    # A field of a later issue would be a lie now: the server would ignore it.
    beyond = {
        name: extra
        for name, message in MESSAGES.items()
        if name.endswith(("Request", "Response"))
        if (extra := {describe(field) for field in message.fields} - set(FIELDS.get(name, "").split()))
    }
    assert not beyond


@pytest.mark.parametrize(
    ("message", "oneof", "members"),
    [
        ("SetScopeRequest", "selector", "entity_ids filter all"),
        ("WatchSessionResponse", "update", "event bookmark reset"),
        ("FetchStatusRequest", "target", "session task"),
        *(
            (f"{rpc}Request", "target", "session sheet_id")
            for rpc in ("GetSheet", "ListStatements", "ListPhases", "ListDiagnostics", "ListReferences")
        ),
        *(
            (
                f"{rpc}Response",
                "update",
                "snapshot phase_started phase_completed statements progress finished heartbeat",
            )
            for rpc in ("ExecuteSheet", "WatchExecution")
        ),
    ],
)
def test_alternatives_exclude_each_other(message: str, oneof: str, members: str) -> None:
    assert [field.name for field in MESSAGES[message].oneofs_by_name[oneof].fields] == members.split()


def test_both_execution_streams_have_one_encoding() -> None:
    execute, watch = (
        [(field.number, describe(field), getattr(field.containing_oneof, "name", None)) for field in message.fields]
        for message in (MESSAGES["ExecuteSheetResponse"], MESSAGES["WatchExecutionResponse"])
    )
    assert execute == watch


@pytest.mark.parametrize("name", sorted(ENUM_TYPES))
def test_zero_of_each_enum_is_unspecified(name: str) -> None:
    zero = ENUM_TYPES[name].values_by_number[0].name
    assert zero == ENUMS[name][0] + "UNSPECIFIED"


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_enum_has_the_values_that_clients_count_on_in_order(name: str) -> None:
    prefix, values = ENUMS[name]
    assert value_names(ENUM_TYPES[name])[1:] == [prefix + value for value in values.split()]


@pytest.mark.parametrize(("ours", "name"), TWINS, ids=[name for _, name in TWINS])
def test_enum_of_the_wire_says_what_ours_says(ours: type[StrEnum], name: str) -> None:
    assert {ENUMS[name][0] + member.value for member in ours} == set(value_names(ENUM_TYPES[name])[1:])


def test_every_reason_we_refuse_with_is_on_the_wire() -> None:
    reasons = {f"ERROR_REASON_{reason.value}" for reason in errors.Reason}
    assert reasons <= set(value_names(ENUM_TYPES["ErrorReason"]))

"""The words of the protos' enums without their prefixes: what callers write and read instead of numbers. And times."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from sheetgrpc.v1 import task_pb2
from sheetgrpc.v1.approval_pb2 import ApprovalState, ApprovalVerdict
from sheetgrpc.v1.control_service_pb2 import BreakerState, QueueMode
from sheetgrpc.v1.diagnostic_pb2 import DiagnosticCode, DiagnosticSeverity
from sheetgrpc.v1.execution_pb2 import AttemptOutcome, ExecutionMode, ExecutionState
from sheetgrpc.v1.execution_service_pb2 import CancelOutcome
from sheetgrpc.v1.session_pb2 import SessionLifecycle, SessionState
from sheetgrpc.v1.statement_pb2 import StatementStatus
from sheetgrpc.v1.statement_result_pb2 import EffectKind, StatementErrorCode

Mode = Literal["ATOMIC", "ATOMIC_COLLECT", "BEST_EFFORT"]
Outcome = Literal["COMPLETED", "FAILED"]
ResetTarget = Literal["SCOPED", "EMPTY"]
State = Literal["EMPTY", "SCOPED", "TEMPLATED", "GENERATED", "PARSED", "RESOLVING", "READY", "EXECUTING", "EXECUTED"]
Lifecycle = Literal["PENDING", "ACTIVE", "COMPLETED", "FAILED", "EXPIRED"]
RunState = Literal[
    "QUEUED",
    "RUNNING",
    "CANCELLING",
    "COMMITTING",
    "SUCCEEDED",
    "PARTIAL",
    "ROLLED_BACK",
    "FAILED",
    "CANCELLED",
    "TIMED_OUT",
    "INTERRUPTED",
]
TaskKind = Literal["NOTIFICATION", "APPROVAL", "ROUTING"]
TaskState = Literal["PENDING", "ACTIVE", "COMPLETED", "FAILED", "CANCELLED", "APPROVED", "REJECTED"]
QueuePause = Literal["HOLD", "REJECT", "DRAIN"]
EntryKind = Literal["PROMPT", "SYSTEM", "COMMAND", "WARN", "ALERT"]
ApprovalWord = Literal["PENDING", "APPROVED", "REJECTED"]
VerdictWord = Literal["APPROVE", "REJECT"]
Status = Literal["PENDING", "PARSED", "RESOLVED", "SUCCESS", "FAILED", "SKIPPED", "NOT_RUN", "ROLLED_BACK"]

Change = Literal["CREATED", "UPDATED", "DELETED"]

Json: TypeAlias = bool | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
"""What JSON can hold."""

N = TypeVar("N", bound=int)

COMMITTED: frozenset[str] = frozenset({"SUCCEEDED", "PARTIAL"})
"""Words of the execution states in which something is in the tables."""
ENDED: frozenset[str] = COMMITTED | {"ROLLED_BACK", "FAILED", "CANCELLED", "TIMED_OUT", "INTERRUPTED"}
"""Words of the execution states that nothing follows."""


def write_time(time: datetime | None) -> Timestamp | None:
    """A time as the wire has it; without a time zone it is in UTC."""
    if time is None:
        return None
    written = Timestamp()
    written.FromDatetime(time)
    return written


def session_state(number: SessionState.ValueType) -> str:
    """The word of a SessionState, such as "READY"."""
    return _word(SessionState.Name, "SESSION_STATE_", number)


def lifecycle(number: SessionLifecycle.ValueType) -> str:
    """The word of a SessionLifecycle, such as "ACTIVE"."""
    return _word(SessionLifecycle.Name, "SESSION_LIFECYCLE_", number)


def execution_state(number: ExecutionState.ValueType) -> str:
    """The word of an ExecutionState, such as "SUCCEEDED"."""
    return _word(ExecutionState.Name, "EXECUTION_STATE_", number)


def execution_mode(number: ExecutionMode.ValueType) -> str:
    """The word of an ExecutionMode, such as "ATOMIC"."""
    return _word(ExecutionMode.Name, "EXECUTION_MODE_", number)


def cancel_outcome(number: CancelOutcome.ValueType) -> str:
    """The word of a CancelOutcome, such as "CANCEL_REQUESTED"."""
    return _word(CancelOutcome.Name, "CANCEL_OUTCOME_", number)


def approval_state(number: ApprovalState.ValueType) -> str:
    """The word of an ApprovalState, such as "PENDING"."""
    return _word(ApprovalState.Name, "APPROVAL_STATE_", number)


def verdict(number: ApprovalVerdict.ValueType) -> str:
    """The word of an ApprovalVerdict, "APPROVE" or "REJECT"."""
    return _word(ApprovalVerdict.Name, "APPROVAL_VERDICT_", number)


def attempt_outcome(number: AttemptOutcome.ValueType) -> str:
    """The word of an AttemptOutcome, such as "RETRIED"."""
    return _word(AttemptOutcome.Name, "ATTEMPT_OUTCOME_", number)


def queue_mode(number: QueueMode.ValueType) -> str:
    """The word of a QueueMode, such as "HOLD"."""
    return _word(QueueMode.Name, "QUEUE_MODE_", number)


def breaker_state(number: BreakerState.ValueType) -> str:
    """The word of a BreakerState, such as "HALF_OPEN"."""
    return _word(BreakerState.Name, "BREAKER_STATE_", number)


def statement_status(number: StatementStatus.ValueType) -> str:
    """The word of a StatementStatus, such as "SKIPPED"."""
    return _word(StatementStatus.Name, "STATEMENT_STATUS_", number)


def error_code(number: StatementErrorCode.ValueType) -> str:
    """The word of a StatementErrorCode, such as "DB_CONSTRAINT"."""
    return _word(StatementErrorCode.Name, "STATEMENT_ERROR_CODE_", number)


def effect_kind(number: EffectKind.ValueType) -> str:
    """The word of an EffectKind, such as "CREATED"."""
    return _word(EffectKind.Name, "EFFECT_KIND_", number)


def diagnostic_code(number: DiagnosticCode.ValueType) -> str:
    """The word of a DiagnosticCode, such as "UNKNOWN_VERB"."""
    return _word(DiagnosticCode.Name, "DIAGNOSTIC_CODE_", number)


def severity(number: DiagnosticSeverity.ValueType) -> str:
    """The word of a DiagnosticSeverity, "ERROR" or "WARNING"."""
    return _word(DiagnosticSeverity.Name, "DIAGNOSTIC_SEVERITY_", number)


def task_kind(number: task_pb2.TaskKind.ValueType) -> str:
    """The word of a TaskKind, such as "APPROVAL"."""
    return _word(task_pb2.TaskKind.Name, "TASK_KIND_", number)


def task_state(number: task_pb2.TaskState.ValueType) -> str:
    """The word of a TaskState, such as "PENDING"."""
    return _word(task_pb2.TaskState.Name, "TASK_STATE_", number)


def _word(name: Callable[[N], str], prefix: str, number: N) -> str:
    try:
        return name(number).removeprefix(prefix)
    except ValueError:  # a server newer than this client
        return f"UNKNOWN_{number}"

"""Our enums and the wire's, value by value: names are the same but for the wire's prefix.

A value that one side lacks fails at import, not in a call.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Generic, Protocol, TypeVar

from sheetgrpc.dsl.diagnostics import DiagnosticCode, Severity
from sheetgrpc.engine.breakers import BreakerState
from sheetgrpc.planning.model import Effect, ErrorCode, Status
from sheetgrpc.server.convert.form import Form
from sheetgrpc.session.approvals import ApprovalState, Verdict
from sheetgrpc.session.cancelling import CancelOutcome
from sheetgrpc.session.model import EntryKind, ExecutionState, Lifecycle, Mode, State, TaskKind, TaskState
from sheetgrpc.store.queue import AttemptOutcome, QueueMode
from sheetgrpc.v1 import (
    approval_pb2,
    control_service_pb2,
    diagnostic_pb2,
    execution_pb2,
    execution_service_pb2,
    session_pb2,
    session_service_pb2,
    statement_pb2,
    statement_result_pb2,
    task_pb2,
)

_MAX_LISTED = 100  # more than any enum has

E = TypeVar("E", bound=Enum)
V = TypeVar("V", bound=int)
V_co = TypeVar("V_co", bound=int, covariant=True)


class WireEnum(Protocol[V_co]):
    """What protobuf makes of an enum."""

    def Value(self, name: str) -> V_co:  # noqa: N802  # protobuf's name
        """The number of a value's name; ValueError where there is none."""
        ...


class Twins(Generic[E, V]):
    """One of our enums beside the wire's."""

    def __init__(self, ours: Iterable[E], wire: WireEnum[V], prefix: str) -> None:
        self._numbers: Mapping[E, V] = {member: wire.Value(prefix + member.name) for member in ours}
        self._members: Mapping[int, E] = {number: member for member, number in self._numbers.items()}

    def write(self, member: E) -> V:
        """The wire's number of a member."""
        return self._numbers[member]

    def read(self, form: Form, field: str, number: int) -> E | None:
        """The member of a number; a number without one is refused."""
        member = self._members.get(number)
        if member is None:
            form.refuse(field, f"{number} is none of {', '.join(member.name for member in self._numbers)}")
        return member

    def read_all(self, form: Form, field: str, numbers: Sequence[int]) -> tuple[E, ...]:
        """The members of a list of numbers, each once."""
        if len(numbers) > _MAX_LISTED:
            form.refuse(field, f"has {len(numbers):,} values; {_MAX_LISTED} are allowed")
            return ()
        found = (self.read(form, f"{field}[{at}]", number) for at, number in enumerate(numbers))
        return tuple(dict.fromkeys(member for member in found if member is not None))


APPROVAL_STATES = Twins(ApprovalState, approval_pb2.ApprovalState, "APPROVAL_STATE_")
VERDICTS = Twins(Verdict, approval_pb2.ApprovalVerdict, "APPROVAL_VERDICT_")
STATES = Twins(State, session_pb2.SessionState, "SESSION_STATE_")
LIFECYCLES = Twins(Lifecycle, session_pb2.SessionLifecycle, "SESSION_LIFECYCLE_")
ENTRY_KINDS = Twins(EntryKind, session_service_pb2.SessionEntryKind, "SESSION_ENTRY_KIND_")
EXECUTION_STATES = Twins(ExecutionState, execution_pb2.ExecutionState, "EXECUTION_STATE_")
MODES = Twins(Mode, execution_pb2.ExecutionMode, "EXECUTION_MODE_")
SEVERITIES = Twins(Severity, diagnostic_pb2.DiagnosticSeverity, "DIAGNOSTIC_SEVERITY_")
DIAGNOSTIC_CODES = Twins(DiagnosticCode, diagnostic_pb2.DiagnosticCode, "DIAGNOSTIC_CODE_")
ERROR_CODES = Twins(ErrorCode, statement_result_pb2.StatementErrorCode, "STATEMENT_ERROR_CODE_")
STATUSES = Twins(Status, statement_pb2.StatementStatus, "STATEMENT_STATUS_")
CANCEL_OUTCOMES = Twins(CancelOutcome, execution_service_pb2.CancelOutcome, "CANCEL_OUTCOME_")
ATTEMPT_OUTCOMES = Twins(AttemptOutcome, execution_pb2.AttemptOutcome, "ATTEMPT_OUTCOME_")
BREAKER_STATES = Twins(BreakerState, control_service_pb2.BreakerState, "BREAKER_STATE_")
QUEUE_MODES = Twins(QueueMode, control_service_pb2.QueueMode, "QUEUE_MODE_")
EFFECTS = Twins([effect for effect in Effect if effect], statement_result_pb2.EffectKind, "EFFECT_KIND_")
TASK_KINDS = Twins(TaskKind, task_pb2.TaskKind, "TASK_KIND_")
TASK_STATES = Twins(TaskState, task_pb2.TaskState, "TASK_STATE_")

"""Tasks: what one role asks of another. A value, the table of its states, and pure functions that make the next value.

A task is no layer of a session and no row of the machine's table: it may belong to a session, and outlive its end.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from sheetgrpc.errors import NotAllowed, Reason, limit_exceeded
from sheetgrpc.session.details import merge
from sheetgrpc.session.events import TaskCreated, TaskUpdated
from sheetgrpc.session.model import TaskKind, TaskState

MAX_DATA_BYTES = 64 * 1024
"""Bytes that a task's data may take, as JSON."""

_ENDS = (TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED)
NEXT: Mapping[TaskKind, Mapping[TaskState, tuple[TaskState, ...]]] = {
    TaskKind.NOTIFICATION: {TaskState.PENDING: (TaskState.COMPLETED, TaskState.CANCELLED)},
    TaskKind.APPROVAL: {TaskState.PENDING: (TaskState.CANCELLED, TaskState.APPROVED, TaskState.REJECTED)},
    TaskKind.ROUTING: {TaskState.PENDING: (TaskState.ACTIVE, *_ENDS), TaskState.ACTIVE: _ENDS},
}
"""The states that may follow each state; none follows one that is not here."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task as it is. Times are microseconds since 1970 UTC; "" stands for what it does not have.

    `fingerprint` is of the content that its idempotency key stands for.
    """

    id: str
    kind: TaskKind
    description: str
    from_role: str
    to_role: str
    trace_id: str
    created_at: int
    updated_at: int
    created_by: str
    data: dict[str, Any] = {}  # JSON values; msgspec copies the default
    state: TaskState = TaskState.PENDING
    version: int = 1
    ended_at: int | None = None
    session_id: str = ""
    parent_id: str = ""
    idempotency_key: str = ""
    fingerprint: bytes = b""
    notes: str = ""

    @property
    def next_states(self) -> tuple[TaskState, ...]:
        """What it may become; nothing once it has ended."""
        return NEXT[self.kind].get(self.state, ())


class TaskReader(msgspec.Struct, frozen=True):
    """Who reads tasks, where callers are told apart: there are those that the reader made or has a role of."""

    name: str
    roles: tuple[str, ...] = ()

    def sees(self, task: Task) -> bool:
        """Whether the task is there for the reader."""
        return task.created_by == self.name or task.from_role in self.roles or task.to_role in self.roles


class TaskEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a task, its creation included: what is written once and stays."""

    version: int
    at: int
    state: TaskState
    caller: str
    notes: str = ""


class TaskUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What a task is to become; None leaves it as it is. `data` is merged, a null removes its key."""

    state: TaskState | None = None
    data: Mapping[str, Any] | None = None
    notes: str = ""


def check_data(data: Mapping[str, Any]) -> None:
    """Raises LimitExceeded where there is too much of it."""
    if (size := len(msgspec.json.encode(data))) > MAX_DATA_BYTES:
        raise limit_exceeded("bytes of a task's data", limit=MAX_DATA_BYTES, actual=size)


def update_task(task: Task, update: TaskUpdate, at: int) -> Task:
    """The task one version later. Raises NotAllowed where the table does not have the step, LimitExceeded."""
    if task.state.terminal:
        raise _refusal(task, "it has ended, and takes no more changes")
    if update.state is not None and update.state not in task.next_states:
        raise _refusal(task, f"{_named(task)} becomes {' or '.join(task.next_states)}, not {update.state}")
    state = update.state or task.state
    data = task.data if update.data is None else merge(task.data, dict(update.data))
    check_data(data)
    return replace(
        task,
        state=state,
        version=task.version + 1,
        data=data,
        notes=update.notes,
        updated_at=at,
        ended_at=at if state.terminal else None,
    )


def created_event(task: Task) -> TaskCreated:
    """What its session's log has of its creation."""
    return TaskCreated(
        at=task.updated_at,
        task_id=task.id,
        kind=task.kind,
        from_role=task.from_role,
        to_role=task.to_role,
        trace_id=task.trace_id,
    )


def updated_event(task: Task) -> TaskUpdated:
    """What its session's log has of the change that made it what it is."""
    return TaskUpdated(
        at=task.updated_at, task_id=task.id, task_version=task.version, state=task.state, trace_id=task.trace_id
    )


def _named(task: Task) -> str:
    return f"{'an' if task.kind is TaskKind.APPROVAL else 'a'} {task.kind.lower()}"


def _refusal(task: Task, text: str) -> NotAllowed:
    metadata = {"task": task.id, "state": task.state, "allowedStates": ",".join(task.next_states)}
    return NotAllowed(
        Reason.ACTION_NOT_ALLOWED, f"task is {task.state}; {text}", metadata=metadata, resource=("task", task.id)
    )

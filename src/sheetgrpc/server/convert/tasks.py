"""Tasks and what is asked of them, between messages and the service's own words."""

from typing import Any

import msgspec
from google.protobuf.struct_pb2 import Struct

from sheetgrpc.engine import intents
from sheetgrpc.engine.views import SessionView, StatusView
from sheetgrpc.server.convert.enums import LIFECYCLES, STATES, TASK_KINDS, TASK_STATES
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.convert.values import read_struct, write_struct, write_time
from sheetgrpc.session.model import Lifecycle, State, TaskKind, TaskState
from sheetgrpc.session.tasks import MAX_DATA_BYTES, Task, TaskEvent, TaskUpdate
from sheetgrpc.store.tasks import Belonging, TaskFilter
from sheetgrpc.v1 import task_pb2, task_service_pb2

_KEY_LENGTH = 255
_METADATA_SHOWN = 200  # characters
_SESSION_LEGENDS = {
    State.EMPTY: "has neither scope nor sheet",
    State.SCOPED: "has a scope, and waits for a template",
    State.TEMPLATED: "has a scope and a template",
    State.GENERATED: "has a sheet that is not parsed, or has syntax errors",
    State.PARSED: "has a sheet with errors",
    State.RESOLVING: "has a sheet in which names are open",
    State.READY: "has a sheet that can be executed",
    State.EXECUTING: "has an execution that is queued or runs",
    State.EXECUTED: "has an execution that has ended",
}
_LIFECYCLE_LEGENDS = {
    Lifecycle.PENDING: "created, and not begun",
    Lifecycle.ACTIVE: "under way",
    Lifecycle.COMPLETED: "closed as done",
    Lifecycle.FAILED: "closed as failed",
    Lifecycle.EXPIRED: "expired, because nothing happened for too long",
}
_TASK_LEGENDS = {
    TaskState.PENDING: "nobody has acted on it",
    TaskState.ACTIVE: "somebody is at it",
    TaskState.COMPLETED: "done",
    TaskState.FAILED: "tried, and not done",
    TaskState.CANCELLED: "not wanted any more",
    TaskState.APPROVED: "decided: yes",
    TaskState.REJECTED: "decided: no",
}


def read_create_task(form: Form, request: task_service_pb2.CreateTaskRequest, trace_id: str) -> intents.CreateTask:
    """CreateTask, but for the fingerprint; `trace_id` is the call's, for a request that has none."""
    return intents.CreateTask(
        kind=TASK_KINDS.read(form, "kind", request.kind) or TaskKind.NOTIFICATION,
        description=form.text("description", request.description, required=True),
        from_role=form.name("from_role", request.from_role),
        to_role=form.name("to_role", request.to_role),
        data=_read_data(form, request.data),
        trace_id=form.name("trace_id", request.trace_id, required=False) or trace_id,
        session=form.name("session", request.session, required=False),
        parent=form.name("parent", request.parent, required=False),
        idempotency_key=_read_key(form, request.idempotency_key),
    )


def read_update_task(form: Form, request: task_service_pb2.UpdateTaskRequest) -> intents.UpdateTask:
    """UpdateTask; what is absent stays as it is."""
    update = TaskUpdate(
        state=TASK_STATES.read(form, "state", request.state) if request.state else None,
        data=_read_data(form, request.data) if request.HasField("data") else None,
        notes=form.text("notes", request.notes),
    )
    if update == TaskUpdate():
        form.refuse("state", "must be given, or data, or notes: there is nothing to change")
    return intents.UpdateTask(update)


def read_task_filter(form: Form, request: task_service_pb2.ListTasksRequest) -> TaskFilter:
    """The filters of ListTasks, but for the session."""
    return TaskFilter(
        kinds=TASK_KINDS.read_all(form, "kinds", request.kinds),
        states=TASK_STATES.read_all(form, "states", request.states),
        from_role=form.name("from_role", request.from_role, required=False),
        to_role=form.name("to_role", request.to_role, required=False),
        trace_id=form.name("trace_id", request.trace_id, required=False),
        parent_id=form.name("parent", request.parent, required=False).upper(),
        created_by=form.name("created_by", request.created_by, required=False),
    )


def read_status_target(form: Form, request: task_service_pb2.FetchStatusRequest) -> tuple[str, str]:
    """The session and the task that is asked about, one of them empty."""
    match request.WhichOneof("target"):
        case "session":
            return form.name("session", request.session), ""
        case "task":
            return "", form.name("task", request.task)
        case _:
            form.refuse("target", "must be session or task")
            return "", ""


def write_task(task: Task, *, listed: bool = False) -> task_pb2.Task:
    """A task; without its data where it is one of a status."""
    return task_pb2.Task(
        id=task.id,
        kind=TASK_KINDS.write(task.kind),
        state=TASK_STATES.write(task.state),
        version=task.version,
        description=task.description,
        from_role=task.from_role,
        to_role=task.to_role,
        data=None if listed or not task.data else write_struct(task.data),
        trace_id=task.trace_id,
        idempotency_key=task.idempotency_key,
        session_id=task.session_id,
        parent_id=task.parent_id,
        created_by=task.created_by,
        notes=task.notes,
        create_time=write_time(task.created_at),
        update_time=write_time(task.updated_at),
        end_time=write_time(task.ended_at),
        next_states=map(TASK_STATES.write, task.next_states),
    )


def write_task_event(event: TaskEvent) -> task_pb2.TaskEvent:
    """One change of a task."""
    return task_pb2.TaskEvent(
        version=event.version,
        time=write_time(event.at),
        state=TASK_STATES.write(event.state),
        caller=event.caller,
        notes=event.notes,
    )


def write_status(view: StatusView) -> task_service_pb2.Status:
    """How far a session or a task is."""
    message = task_service_pb2.Status(
        trace_id=view.belonging.trace_id,
        tasks=[write_task(task, listed=True) for task in view.belonging.tasks],
        task_counts=_write_counts(view.belonging),
    )
    if view.session is not None:
        _tell_session(message, view.session)
    if view.task is not None:
        _tell_task(message, view.task)
    return message


def _tell_session(message: task_service_pb2.Status, view: SessionView) -> None:
    session = view.row.session
    message.session_id = session.id
    message.task_id = session.task_id
    message.role = session.role
    message.session_state = STATES.write(session.state)
    message.lifecycle = LIFECYCLES.write(session.lifecycle)
    message.legend = f"{_LIFECYCLE_LEGENDS[session.lifecycle]}; {_SESSION_LEGENDS[session.state]}"
    _tell_beginning(message, session.metadata, session.created_at, session.updated_at)


def _tell_task(message: task_service_pb2.Status, task: Task) -> None:
    message.session_id = task.session_id
    message.task_id = task.id
    message.role = task.to_role
    message.task_state = TASK_STATES.write(task.state)
    message.legend = _TASK_LEGENDS[task.state]
    _tell_beginning(message, task.data, task.created_at, task.updated_at)


def _tell_beginning(message: task_service_pb2.Status, told: dict[str, Any], created: int, updated: int) -> None:
    text = msgspec.json.encode(told).decode()
    message.metadata = text[:_METADATA_SHOWN]
    message.metadata_truncated = len(text) > _METADATA_SHOWN
    for field, at in ((message.create_time, created), (message.update_time, updated)):
        time = write_time(at)
        assert time is not None
        field.CopyFrom(time)


def _write_counts(belonging: Belonging) -> list[task_pb2.TaskStateCount]:
    counts = [
        task_pb2.TaskStateCount(state=TASK_STATES.write(state), count=count)
        for state, count in belonging.counts.items()
    ]
    return sorted(counts, key=lambda one: one.state)


def _read_data(form: Form, data: Struct) -> dict[str, Any]:  # Any: JSON values
    if (size := data.ByteSize()) > MAX_DATA_BYTES:
        form.refuse("data", f"has {size:,} bytes; {MAX_DATA_BYTES:,} are allowed")
    return read_struct(form, "data", data)


def _read_key(form: Form, key: str) -> str:
    if len(key) > _KEY_LENGTH:
        form.refuse("idempotency_key", f"has {len(key):,} characters; {_KEY_LENGTH} are allowed")
        return ""
    return form.text("idempotency_key", key)

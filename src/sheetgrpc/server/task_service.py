"""TaskService: each method reads the request, calls the engine once, writes the answer."""

import re

import msgspec

from sheetgrpc.engine.aside import aside
from sheetgrpc.engine.engine import Engine
from sheetgrpc.server.calls import Call
from sheetgrpc.server.commands import fingerprint, read_envelope, reader_of, tell_reply
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.convert.tasks import (
    read_create_task,
    read_status_target,
    read_task_filter,
    read_update_task,
    write_status,
    write_task,
    write_task_event,
)
from sheetgrpc.server.paging import MOMENTS, read_page
from sheetgrpc.v1 import task_service_pb2 as pb

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


class TaskService:
    """Tasks: made, found, carried on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def create_task(self, request: pb.CreateTaskRequest, call: Call) -> bytes:
        """Creates a task."""
        form = Form()
        intent = await aside(call.size, read_create_task, form, request, _trace_of(call))
        envelope = await read_envelope(form, call, request, target="task")
        if intent.idempotency_key:
            content = envelope.fingerprint or await aside(call.size, fingerprint, request)
            intent = msgspec.structs.replace(intent, fingerprint=content)
        reply = await self._engine.tasks.handle(
            envelope, intent, lambda task: pb.CreateTaskResponse(task=write_task(task)).SerializeToString()
        )
        tell_reply(call, reply)
        return reply.body

    async def get_task(self, request: pb.GetTaskRequest, call: Call) -> pb.GetTaskResponse:
        """Gets a task."""
        form = Form()
        task_id = form.name("task", request.task)
        form.done()
        task, events = await self._engine.tasks.get(task_id, reader_of(call))
        return pb.GetTaskResponse(task=write_task(task), events=map(write_task_event, events))

    async def list_tasks(self, request: pb.ListTasksRequest, call: Call) -> pb.ListTasksResponse:
        """Lists tasks."""
        form = Form()
        page = read_page(form, request, MOMENTS, call.max_send_bytes)
        wanted = read_task_filter(form, request)
        session = form.name("session", request.session, required=False)
        form.done()
        reader = reader_of(call)
        found = await self._engine.tasks.list(wanted, session, page.wanted, page.after, call.caller, reader)
        tasks, token = page.write(found, write_task, lambda _, task: (task.created_at, task.id))
        return pb.ListTasksResponse(tasks=tasks, next_page_token=token)

    async def update_task(self, request: pb.UpdateTaskRequest, call: Call) -> bytes:
        """Changes a task."""
        form = Form()
        intent = await aside(call.size, read_update_task, form, request)
        envelope = await read_envelope(form, call, request, target="task")
        reply = await self._engine.tasks.handle(
            envelope, intent, lambda task: pb.UpdateTaskResponse(task=write_task(task)).SerializeToString()
        )
        tell_reply(call, reply)
        return reply.body

    async def fetch_status(self, request: pb.FetchStatusRequest, call: Call) -> pb.FetchStatusResponse:
        """Fetches how far a session or a task is."""
        form = Form()
        session, task = read_status_target(form, request)
        form.done()
        tasks, reader = self._engine.tasks, reader_of(call)
        if session:
            view = await tasks.status_of_session(session, call.caller, reader)
        else:
            view = await tasks.status_of_task(task, reader)
        return pb.FetchStatusResponse(status=write_status(view))


def _trace_of(call: Call) -> str:
    """The trace that the caller's headers name, as W3C's trace context has it; "" where they name none."""
    for key, value in call.context.invocation_metadata() or ():
        if key == "traceparent" and isinstance(value, str) and (found := _TRACEPARENT.fullmatch(value)):
            return found[1]
    return ""

"""Tasks as a client has them: made, found, listed, carried on; and how far a session or a task is."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Unpack

from sheetgrpc.client.calls import Caller, Changing, Creating, Reading
from sheetgrpc.client.pages import PAGE_SIZE, pages
from sheetgrpc.client.stubs import Stubs
from sheetgrpc.client.words import Json, TaskKind, TaskState
from sheetgrpc.v1 import task_pb2
from sheetgrpc.v1.task_pb2 import Task
from sheetgrpc.v1.task_service_pb2 import (
    CreateTaskRequest,
    FetchStatusRequest,
    GetTaskRequest,
    GetTaskResponse,
    ListTasksRequest,
    Status,
    UpdateTaskRequest,
)


class Tasks:
    """Tasks: what roles ask of each other."""

    def __init__(self, caller: Caller, stubs: Stubs) -> None:
        self._caller = caller
        self._stubs = stubs

    async def create(
        self,
        kind: TaskKind,
        description: str,
        *,
        from_role: str,
        to_role: str,
        data: Mapping[str, Json] | None = None,
        trace_id: str = "",
        session: str = "",
        parent: str = "",
        idempotency_key: str = "",
        **options: Unpack[Creating],
    ) -> Task:
        """Make a task; with an `idempotency_key` at most one, however often and long after it is asked for."""
        request = CreateTaskRequest(
            kind=task_pb2.TaskKind.Value(f"TASK_KIND_{kind}"),
            description=description,
            from_role=from_role,
            to_role=to_role,
            trace_id=trace_id,
            session=session,
            parent=parent,
            idempotency_key=idempotency_key,
        )
        if data is not None:
            request.data.update(dict(data))
        return (await self._caller.command(self._stubs.tasks.CreateTask, request, options)).response.task

    async def get(self, task: str, **options: Unpack[Reading]) -> GetTaskResponse:
        """One task as it is now (`task`), with the last 100 of its changes (`events`)."""
        return await self._caller.read(self._stubs.tasks.GetTask, GetTaskRequest(task=task), options)

    def list(
        self,
        *,
        kinds: Sequence[TaskKind] = (),
        states: Sequence[TaskState] = (),
        from_role: str = "",
        to_role: str = "",
        trace_id: str = "",
        session: str = "",
        parent: str = "",
        created_by: str = "",
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[Task]:
        """Tasks that match every filter given, newest first."""
        request = ListTasksRequest(
            kinds=[task_pb2.TaskKind.Value(f"TASK_KIND_{kind}") for kind in kinds],
            states=[task_pb2.TaskState.Value(f"TASK_STATE_{state}") for state in states],
            from_role=from_role,
            to_role=to_role,
            trace_id=trace_id,
            session=session,
            parent=parent,
            created_by=created_by,
            page_size=page_size,
        )

        async def fetch(token: str) -> tuple[Sequence[Task], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.tasks.ListTasks, request, options)
            return answer.tasks, answer.next_page_token

        return pages(fetch)

    async def update(
        self,
        task: str,
        state: TaskState | None = None,
        *,
        data: Mapping[str, Json] | None = None,
        notes: str = "",
        **options: Unpack[Changing],
    ) -> Task:
        """Change a task; `data` is merged into what is there, a None removes its key."""
        request = UpdateTaskRequest(task=task, notes=notes, expected_version=options.get("expected_version"))
        if state is not None:
            request.state = task_pb2.TaskState.Value(f"TASK_STATE_{state}")
        if data is not None:
            request.data.update(dict(data))
        return (await self._caller.command(self._stubs.tasks.UpdateTask, request, options)).response.task

    async def status(
        self, *, session: str | None = None, task: str | None = None, **options: Unpack[Reading]
    ) -> Status:
        """How far a session or a task is, with the tasks that belong to it; give one of the two."""
        if (session is None) is (task is None):
            raise ValueError("give either session or task")
        request = FetchStatusRequest(session=session) if session is not None else FetchStatusRequest(task=task or "")
        return (await self._caller.read(self._stubs.tasks.FetchStatus, request, options)).status

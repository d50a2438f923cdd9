"""Tasks where callers are told apart: there for who made one and for the roles that it is between, for nobody else."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from tests.rpc.identified import Identified, run_identified
from tests.rpc.serving import refused, run_server

from sheetgrpc.v1 import task_pb2
from sheetgrpc.v1.session_service_pb2 import CreateSessionRequest
from sheetgrpc.v1.task_service_pb2 import (
    CreateTaskRequest,
    FetchStatusRequest,
    GetTaskRequest,
    ListTasksRequest,
    Status,
    UpdateTaskRequest,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

EVERYBODY = ("ana", "bob", "olga", "pia", "paul")  # olga is an operator; pia and paul are approvers


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def known(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Identified]:
    async with run_identified(tmp_path_factory.mktemp("callers")) as server:
        yield server


async def create(known: Identified, name: str, **fields: Any) -> task_pb2.Task:
    asked = {"kind": task_pb2.TASK_KIND_APPROVAL, "description": "d", "from_role": "desk", "to_role": "loader"}
    request = CreateTaskRequest(**{**asked, **fields})
    return (await known.running.tasks.CreateTask(request, metadata=known.sent[name])).task


async def listed(known: Identified, name: str, **wanted: Any) -> list[str]:
    """Ids, a page of one at a time."""
    found, token = [], ""
    while True:
        request = ListTasksRequest(page_size=1, page_token=token, **wanted)
        page = await known.running.tasks.ListTasks(request, metadata=known.sent[name])
        found += [task.id for task in page.tasks]
        if not (token := page.next_page_token):
            return found
        assert len(page.tasks) == 1


async def status(known: Identified, name: str, **target: str) -> Status:
    answer = await known.running.tasks.FetchStatus(FetchStatusRequest(**target), metadata=known.sent[name])
    return answer.status


async def session_of(known: Identified, name: str, **fields: Any) -> str:
    request = CreateSessionRequest(**fields)
    return (await known.running.sessions.CreateSession(request, metadata=known.sent[name])).session.id


async def test_a_task_is_there_for_who_made_it_and_for_its_roles(known: Identified) -> None:
    """D-10."""
    tasks = known.running.tasks
    made = await create(known, "ana", from_role="operator", to_role="approver", trace_id="there")
    for name in EVERYBODY:
        assert await listed(known, name, trace_id="there") == ([] if name == "bob" else [made.id])
        if name != "bob":
            got = await tasks.GetTask(GetTaskRequest(task=made.id.lower()), metadata=known.sent[name])
            assert got.task == made
    bob = known.sent["bob"]
    child = CreateTaskRequest(
        kind=task_pb2.TASK_KIND_ROUTING, description="d", from_role="a", to_role="b", parent=made.id
    )
    for call in (
        tasks.GetTask(GetTaskRequest(task=made.id), metadata=bob),
        tasks.UpdateTask(UpdateTaskRequest(task=made.id, notes="n"), metadata=bob),
        tasks.FetchStatus(FetchStatusRequest(task=made.id), metadata=bob),
        tasks.CreateTask(child, metadata=bob),
    ):
        found = await refused(call)
        assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND")


async def test_who_has_one_of_its_roles_decides_it(known: Identified) -> None:
    made = await create(known, "ana", to_role="approver", session=await session_of(known, "ana"))
    approve = UpdateTaskRequest(task=made.id, state=task_pb2.TASK_STATE_APPROVED, notes="yes")
    assert (await refused(known.running.tasks.UpdateTask(approve, metadata=known.sent["olga"]))).reason == (
        "TASK_NOT_FOUND"
    )
    await known.running.tasks.UpdateTask(approve, metadata=known.sent["pia"])
    got = await known.running.tasks.GetTask(GetTaskRequest(task=made.id), metadata=known.sent["ana"])
    assert [event.caller for event in got.events] == ["ana", "pia"]
    assert got.task.state == task_pb2.TASK_STATE_APPROVED


async def test_pages_hold_what_is_there_and_are_full(known: Identified) -> None:
    """O11: what is left out in between neither ends a list nor thins it."""
    made = []
    for _ in range(4):
        made.append((await create(known, "ana", to_role="approver", trace_id="pages")).id)
        await create(known, "ana", trace_id="pages")
    assert await listed(known, "pia", trace_id="pages") == made[::-1]
    assert len(await listed(known, "ana", trace_id="pages")) == 8
    assert await listed(known, "pia", trace_id="pages", created_by="bob") == []


async def test_a_status_has_what_is_there_for_the_caller(known: Identified) -> None:
    """D-10: tasks about a task, their counts, and the task that a session says it serves."""
    parent = await create(known, "ana", to_role="approver", trace_id="a-trace")
    child = await create(known, "ana", parent=parent.id)
    hers, seen = await status(known, "ana", task=parent.id), await status(known, "pia", task=parent.id)
    assert [task.id for task in hers.tasks] == [child.id, parent.id]
    assert [task.id for task in seen.tasks] == [parent.id]
    assert [one.count for one in seen.task_counts] == [1]
    for name, there in (("paul", True), ("bob", False)):
        serving = await session_of(known, name, task_id=parent.id)
        found = await status(known, name, session=serving)
        assert [task.id for task in found.tasks] == ([parent.id] if there else [])
        assert (found.trace_id, len(found.task_counts)) == (("a-trace", 1) if there else ("", 0))


async def test_a_task_is_made_for_a_session_of_the_callers_own(known: Identified) -> None:
    session = await session_of(known, "ana")
    asked = {"kind": task_pb2.TASK_KIND_ROUTING, "description": "d", "from_role": "a", "to_role": "approver"}
    for name in ("bob", "pia"):
        request = CreateTaskRequest(**asked, session=session)
        found = await refused(known.running.tasks.CreateTask(request, metadata=known.sent[name]))
        assert found.reason == "SESSION_NOT_FOUND"
    assert (await create(known, "ana", session=session)).session_id == session


async def test_a_server_that_tells_nobody_apart_shows_all(tmp_path: Path) -> None:
    async with run_identified(tmp_path) as known:
        made = await create(known, "ana")
    async with run_server(f"sqlite:///{tmp_path}/test.db") as running:
        assert (await running.tasks.GetTask(GetTaskRequest(task=made.id))).task == made
        assert [task.id for task in (await running.tasks.ListTasks(ListTasksRequest())).tasks] == [made.id]
        update = UpdateTaskRequest(task=made.id, notes="seen")
        assert (await running.tasks.UpdateTask(update)).task.notes == "seen"

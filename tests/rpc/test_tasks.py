"""TaskService over the wire: what callers see of tasks, what they are refused, and how far a session or a task is."""

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health_pb2
from tests.rpc.conftest import StartServer
from tests.rpc.serving import Running, refused

from sheetgrpc.client import words
from sheetgrpc.v1 import session_pb2, task_pb2
from sheetgrpc.v1.session_service_pb2 import CreateSessionRequest, ListSessionEventsRequest, SetScopeRequest
from sheetgrpc.v1.task_service_pb2 import (
    CreateTaskRequest,
    FetchStatusRequest,
    GetTaskRequest,
    ListTasksRequest,
    Status,
    UpdateTaskRequest,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOTIFICATION, APPROVAL, ROUTING = (task_pb2.TaskKind.Value(f"TASK_KIND_{kind}") for kind in words.TaskKind.__args__)
PENDING, ACTIVE, COMPLETED, APPROVED = (
    task_pb2.TaskState.Value(f"TASK_STATE_{state}") for state in ("PENDING", "ACTIVE", "COMPLETED", "APPROVED")
)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def asked(**fields: Any) -> CreateTaskRequest:
    known = {"kind": ROUTING, "description": "load the funds", "from_role": "desk", "to_role": "loader"}
    return CreateTaskRequest(**{**known, **fields})


async def create(server: Running, **fields: Any) -> task_pb2.Task:
    return (await server.tasks.CreateTask(asked(**fields))).task


async def update(server: Running, task: str, **fields: Any) -> task_pb2.Task:
    return (await server.tasks.UpdateTask(UpdateTaskRequest(task=task, **fields))).task


async def status(server: Running, **target: str) -> Status:
    return (await server.tasks.FetchStatus(FetchStatusRequest(**target))).status


async def session_of(server: Running, **fields: Any) -> session_pb2.Session:
    return (await server.sessions.CreateSession(CreateSessionRequest(**fields))).session


async def test_a_created_task_is_as_it_was_asked_for(server: Running) -> None:
    """T1."""
    session = await session_of(server, labels=["t1"])
    data = {"rows": 3.0, "notes": [None, {"deep": True}]}
    request = asked(trace_id="abc", session="t1", idempotency_key="created")
    request.data.update(data)
    task = (await server.tasks.CreateTask(request)).task
    assert (task.kind, task.state, task.version) == (ROUTING, PENDING, 1)
    assert (task.description, task.from_role, task.to_role) == ("load the funds", "desk", "loader")
    assert (task.trace_id, task.session_id, task.idempotency_key) == ("abc", session.id, "created")
    assert (task.parent_id, task.created_by, task.notes) == ("", "anonymous", "")
    assert MessageToDict(task.data) == data
    assert task.create_time == task.update_time
    assert not task.HasField("end_time")
    assert list(task.next_states) == [ACTIVE, COMPLETED, *range(COMPLETED + 1, COMPLETED + 3)]
    got = await server.tasks.GetTask(GetTaskRequest(task=task.id.lower()))
    assert got.task == task
    assert [(event.version, event.state, event.caller) for event in got.events] == [(1, PENDING, "anonymous")]


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("kind", {"kind": 0}),
        ("kind", {"kind": 9}),
        ("description", {"description": ""}),
        ("description", {"description": "two\nlines"}),
        ("description", {"description": "x" * 1001}),
        ("from_role", {"from_role": ""}),
        ("from_role", {"from_role": "x" * 129}),
        ("to_role", {"to_role": ""}),
        ("trace_id", {"trace_id": "x" * 129}),
        ("session", {"session": "x" * 129}),
        ("parent", {"parent": "x" * 129}),
        ("idempotency_key", {"idempotency_key": "x" * 256}),
        ("idempotency_key", {"idempotency_key": "a\0b"}),
        ("request_id", {"request_id": "x" * 129}),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_a_field_that_is_wrong_is_named(server: Running, field: str, fields: dict[str, Any]) -> None:
    """B6, D-46."""
    answer = await refused(server.tasks.CreateTask(asked(**fields)))
    assert (answer.code, answer.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert [one.field for one in answer.details["BadRequest"].field_violations] == [field]


@pytest.mark.parametrize("key", ["k", "\u00e9" * 200, "x" * 255], ids=["one", "not ascii", "the most"])
async def test_a_key_may_be_any_text_of_its_length(server: Running, key: str) -> None:
    """D-46; none at all makes a task each time."""
    first, second = [await create(server, idempotency_key=key) for _ in range(2)]
    assert first == second
    assert (await create(server)).id != (await create(server)).id


async def test_data_is_bounded(server: Running) -> None:
    """B6: 413 there, here a field that is wrong at once, or too much once it has grown."""
    request = asked()
    request.data["x"] = "y" * 70_000
    assert (await refused(server.tasks.CreateTask(request))).reason == "INVALID_FIELD"
    request.data["x"] = "y" * 40_000
    task = (await server.tasks.CreateTask(request)).task
    more = UpdateTaskRequest(task=task.id)
    more.data["z"] = "y" * 40_000
    answer = await refused(server.tasks.UpdateTask(more))
    assert (answer.code, answer.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")


async def test_a_repeat_by_key_says_so_and_gives_the_task_as_it_is(server: Running) -> None:
    """D1, D-45, O7: the same code as the first, marked; no time at which it would run out."""
    task = await create(server, idempotency_key="again")
    done = await update(server, task.id, state=COMPLETED)
    call = server.tasks.CreateTask(asked(idempotency_key="again", request_id="another"))
    assert (await call).task == done
    trailers = dict(list(await call.trailing_metadata() or ()))
    assert trailers["sheetgrpc-replayed"] == "true"
    assert "sheetgrpc-request-id-expires" not in trailers
    other = await refused(server.tasks.CreateTask(asked(idempotency_key="again", description="other")))
    assert (other.code, other.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert [one.field for one in other.details["BadRequest"].field_violations] == ["idempotency_key"]
    assert other.metadata == {"idempotencyKey": "again", "task": task.id}


async def test_a_repeat_by_request_id_gives_the_first_answer(server: Running) -> None:
    """D1, D2: whatever has become of the task; a refusal is not kept."""
    first = await create(server, request_id="task-once")
    wrong = UpdateTaskRequest(task=first.id, state=APPROVED, request_id="task-changed")
    assert (await refused(server.tasks.UpdateTask(wrong))).reason == "ACTION_NOT_ALLOWED"
    right = UpdateTaskRequest(task=first.id, state=ACTIVE, request_id="task-changed")
    changed = (await server.tasks.UpdateTask(right)).task
    await update(server, first.id, state=COMPLETED)
    assert await create(server, request_id="task-once") == first
    call = server.tasks.UpdateTask(right)
    assert (await call).task == changed
    assert ("sheetgrpc-replayed", "true") in list(await call.trailing_metadata() or ())


async def test_a_trace_is_taken_from_the_headers_where_the_request_has_none(server: Running) -> None:
    """T1."""
    for header, field, trace in (
        (f"00-{TRACE}-00f067aa0ba902b7-01", "", TRACE),
        (f"00-{TRACE}-00f067aa0ba902b7-01", "own", "own"),
        (f"00-{'0' * 32}-00f067aa0ba902b7-01", "", None),
        ("nonsense", "", None),
    ):
        call = server.tasks.CreateTask(asked(trace_id=field), metadata=(("traceparent", header),))
        made = (await call).task.trace_id
        assert made == trace if trace is not None else len(made) == 32
        assert made != "0" * 32


async def test_a_state_that_may_not_follow_is_refused_with_those_that_may(server: Running) -> None:
    """B5, B6, P1: 422 there."""
    task = await create(server, kind=APPROVAL)
    answer = await refused(server.tasks.UpdateTask(UpdateTaskRequest(task=task.id, state=COMPLETED)))
    assert (answer.code, answer.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ACTION_NOT_ALLOWED")
    assert answer.metadata == {"task": task.id, "state": "PENDING", "allowedStates": "CANCELLED,APPROVED,REJECTED"}
    decided = await update(server, task.id, state=APPROVED, notes="go on")
    assert (decided.state, decided.version, decided.notes) == (APPROVED, 2, "go on")
    assert decided.end_time == decided.update_time
    assert list(decided.next_states) == []
    again = await refused(server.tasks.UpdateTask(UpdateTaskRequest(task=task.id, notes="or not")))
    assert again.metadata["allowedStates"] == ""


async def test_a_change_must_change_something_and_find_its_version(server: Running) -> None:
    """B4, B6: what is omitted stays."""
    task = await create(server)
    empty = await refused(server.tasks.UpdateTask(UpdateTaskRequest(task=task.id)))
    assert [one.field for one in empty.details["BadRequest"].field_violations] == ["state"]
    noted = await update(server, task.id, notes="seen", expected_version=1)
    assert (noted.state, noted.version, noted.description) == (PENDING, 2, task.description)
    late = await refused(server.tasks.UpdateTask(UpdateTaskRequest(task=task.id, notes="x", expected_version=1)))
    assert (late.code, late.reason) == (grpc.StatusCode.ABORTED, "VERSION_CONFLICT")
    assert late.metadata == {"expectedVersion": "1", "actualVersion": "2"}


async def test_a_task_that_is_not_there_is_not_found(server: Running) -> None:
    """B6."""
    for call in (
        server.tasks.GetTask(GetTaskRequest(task="nope")),
        server.tasks.UpdateTask(UpdateTaskRequest(task="nope", notes="x")),
        server.tasks.FetchStatus(FetchStatusRequest(task="nope")),
        server.tasks.CreateTask(asked(parent="nope")),
    ):
        answer = await refused(call)
        assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "TASK_NOT_FOUND")
        assert answer.details["ResourceInfo"].resource_type == "task"


async def test_an_inbox_is_paged_newest_first(server: Running) -> None:
    """T1, B3: by target and state; 20 a page unless asked otherwise."""
    made = [await create(server, to_role="inbox") for _ in range(23)]
    await update(server, made[0].id, state=ACTIVE)
    wanted = ListTasksRequest(to_role="inbox", states=[PENDING], kinds=[ROUTING])
    first = await server.tasks.ListTasks(wanted)
    assert [task.id for task in first.tasks] == [task.id for task in reversed(made[3:])]
    wanted.page_token = first.next_page_token
    second = await server.tasks.ListTasks(wanted)
    assert [task.id for task in second.tasks] == [made[2].id, made[1].id]
    assert second.next_page_token == ""
    wanted.states[:] = [ACTIVE]
    assert (await refused(server.tasks.ListTasks(wanted))).reason == "INVALID_FIELD"


async def test_a_list_of_a_session_takes_its_label(server: Running) -> None:
    await session_of(server, labels=["listed"])
    mine = await create(server, session="listed")
    await create(server)
    found = await server.tasks.ListTasks(ListTasksRequest(session="listed"))
    assert list(found.tasks) == [mine]
    missing = await refused(server.tasks.ListTasks(ListTasksRequest(session="nobody's")))
    assert missing.reason == "SESSION_NOT_FOUND"


async def test_the_status_of_a_new_session_is_pending_with_its_role(server: Running) -> None:
    """C2: and nobody's task makes it anything else."""
    session = await session_of(server, role="loader")
    await create(server, session=session.id)
    found = await status(server, session=session.id)
    assert (found.session_id, found.role) == (session.id, "loader")
    assert words.lifecycle(found.lifecycle) == "PENDING"
    assert words.session_state(found.session_state) == "EMPTY"
    assert found.task_state == 0
    assert found.legend == "created, and not begun; has neither scope nor sheet"
    assert (found.metadata, found.metadata_truncated, found.trace_id) == ("{}", False, "")


async def test_a_status_is_bounded_whatever_is_in_the_session(server: Running) -> None:
    """C1: 200 characters of metadata, 100 tasks without their data, and how many there are of each state."""
    served = await create(server, trace_id="served")
    session = await session_of(server, task_id=served.id, metadata={"long": "\u00e9" * 300})
    for number in range(101):
        request = asked(session=session.id)
        request.data["n"] = number
        await server.tasks.CreateTask(request)
    await update(server, served.id, state=ACTIVE)
    found = await status(server, session=session.id)
    assert (found.task_id, found.trace_id) == (served.id, "served")  # the oldest, and not among the 100 shown
    assert found.metadata == json.dumps({"long": "\u00e9" * 300}, ensure_ascii=False, separators=(",", ":"))[:200]
    assert found.metadata_truncated
    assert len(found.tasks) == 100
    assert not any(task.HasField("data") for task in found.tasks)
    counts = {words.task_state(one.state): one.count for one in found.task_counts}
    assert counts == {"PENDING": 101, "ACTIVE": 1}


async def test_the_status_of_a_task_is_a_tasks(server: Running) -> None:
    """C1, O12: each kind of thing has its own fields."""
    session = await session_of(server)
    task = await create(server, trace_id="abc", session=session.id)
    approval = await create(server, kind=APPROVAL, parent=task.id)
    found = await status(server, task=task.id)
    assert (found.task_id, found.session_id, found.role, found.trace_id) == (task.id, session.id, "loader", "abc")
    assert (found.task_state, found.session_state, found.lifecycle) == (PENDING, 0, 0)
    assert found.legend == "nobody has acted on it"
    assert [one.id for one in found.tasks] == [approval.id, task.id]


async def test_a_status_is_of_something(server: Running) -> None:
    """C1."""
    for request, field in ((FetchStatusRequest(), "target"), (FetchStatusRequest(session=""), "session")):
        answer = await refused(server.tasks.FetchStatus(request))
        assert [one.field for one in answer.details["BadRequest"].field_violations] == [field]


async def test_tasks_come_and_go_beside_the_sessions_own_work(server: Running) -> None:
    """D-36: neither loses what the other did; the log has no gap."""
    session = await session_of(server)
    scope = SetScopeRequest(session=session.id, entity_type="cbu", all=True)
    made = await asyncio.gather(*(create(server, session=session.id) for _ in range(10)))
    await asyncio.gather(
        *(update(server, task.id, state=ACTIVE) for task in made),
        *(refused(server.sessions.SetScope(scope)) for _ in range(3)),
    )
    listed = await server.sessions.ListSessionEvents(ListSessionEventsRequest(session=session.id, page_size=100))
    assert [event.sequence for event in listed.events] == list(range(1, 22))
    assert [event.type for event in listed.events][1:] == ["TaskCreated"] * 10 + ["TaskUpdated"] * 10


async def test_tasks_are_refused_while_the_database_is_away_and_kept_when_it_is_back(
    start_on_file: StartServer, tmp_path: Path
) -> None:
    """B8, D3, D4: quickly, with a word to every caller and to health; with a key it fails closed and happens once."""
    server = await start_on_file()
    check = health_pb2.HealthCheckRequest(service="sheetgrpc.v1.TaskService")
    task = await create(server)
    (tmp_path / "test.db").rename(tmp_path / "away.db")
    for call in (
        server.tasks.CreateTask(asked(idempotency_key="k"), timeout=5),
        server.tasks.UpdateTask(UpdateTaskRequest(task=task.id, state=ACTIVE), timeout=5),
    ):
        answer = await refused(call)
        assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        assert answer.details["RetryInfo"].retry_delay.seconds == 1
        assert "sqlite" not in answer.message.lower()  # O14
    assert (await server.health.Check(check)).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert (await server.tasks.GetTask(GetTaskRequest(task=task.id))).task == task
    (tmp_path / "away.db").rename(tmp_path / "test.db")
    assert (await server.health.Check(check)).status == health_pb2.HealthCheckResponse.SERVING
    made = await create(server, idempotency_key="k")
    assert list((await server.tasks.ListTasks(ListTasksRequest())).tasks) == [made, task]

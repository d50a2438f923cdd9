"""Who calls, and what is there for whom: every RPC there is, as the descriptors name them, so that new ones are too."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tests.rpc.identified import LABEL, Hers, Identified, ask, bearer, give_ana, rpcs, run_identified, send
from tests.rpc.serving import Running, read_refusal, refused

from sheetgrpc.server.identity import REQUIRED_ROLES
from sheetgrpc.v1 import execution_service_pb2 as executions
from sheetgrpc.v1 import session_service_pb2 as sessions
from sheetgrpc.v1.approval_pb2 import APPROVAL_STATE_APPROVED, APPROVAL_VERDICT_APPROVE
from sheetgrpc.v1.approval_service_pb2 import DecideApprovalRequest, GetApprovalRequest, ListApprovalsRequest
from sheetgrpc.v1.control_service_pb2 import (
    QUEUE_MODE_RUNNING,
    GetQueueStatsRequest,
    GetServerInfoRequest,
    PauseQueueRequest,
    ResumeQueueRequest,
)
from sheetgrpc.v1.sheet_service_pb2 import GetSheetRequest

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMING = {"session": "session", "execution": "execution", "sheet_id": "sheet", "approval": "approval", "task": "task"}
"""Field of a request -> what of ana's it names."""
FURTHER: dict[str, dict[str, Any]] = {
    "CloseSession": {"outcome": 3},
    "SetScope": {"entity_type": "cbu", "all": True},
    "SetTemplate": {"source": "(cbu.close :cbu-id @cbu)"},
    "ResetSession": {"to": 1},
    "LabelSession": {"label": "theirs"},
    "UpdateSession": {"name": "n", "update_mask": {"paths": ["name"]}},
    "AppendSessionEvents": {"entries": [{"kind": 1, "text": "x"}]},
    "ImportSheet": {"source": "(a.b)"},
    "ResolveReference": {"ref_id": "0:a", "entity_id": "k"},
    "RequestApproval": {"plan_digest": "d" * 64},
    "DecideApproval": {"verdict": 1},
    "CreateTask": {"kind": 1, "description": "d", "from_role": "a", "to_role": "b"},
    "UpdateTask": {"notes": "n"},
    "ReplayExecution": {"confirm": True},
    "SubmitSheet": {"confirm": True},
    "ExecuteSheet": {"confirm": True},
}
"""What an RPC needs beside, to be refused for nothing but whose the thing is."""
RPCS = rpcs()
ABOUT = [
    (path, field.name)
    for path, rpc in RPCS.items()
    for field in rpc.input_type.fields
    if field.name in NAMING and field.type == FieldDescriptor.TYPE_STRING and rpc.name not in REQUIRED_ROLES
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def known(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Identified]:
    async with run_identified(tmp_path_factory.mktemp("identified")) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hers(known: Identified) -> Hers:
    return await give_ana(known)


def request_of(path: str, **fields: Any) -> Message:
    rpc = RPCS[path]
    return GetMessageClass(rpc.input_type)(**FURTHER.get(rpc.name, {}), **fields)


async def refusal_of(known: Identified, path: str, request: Message, sent: Any) -> Any:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await send(known.running.channel, path, request, sent)
    return read_refusal(raised.value)


@pytest.mark.parametrize("path", RPCS)
@pytest.mark.parametrize(
    "sent",
    [
        (),
        bearer("sgt_" + "A" * 43),
        bearer(""),
        (("authorization", "Basic YTpi"),),
        (*bearer("a"), *bearer("b")),
        bearer("x" * 2000),
    ],
    ids=["none", "wrong", "empty", "basic", "two", "long"],
)
async def test_no_rpc_is_answered_without_a_token(known: Identified, path: str, sent: Any) -> None:
    """D-10. Each refusal is the same: nothing tells what was wrong with the token, or whether the RPC would do."""
    found = await refusal_of(known, path, request_of(path), sent)
    assert (found.code, found.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    assert (found.metadata, set(found.details)) == ({}, {"ErrorInfo"})


async def test_health_alone_needs_no_token(known: Identified) -> None:
    """D4: whoever keeps the server running asks without one. Reflection is an RPC like any other."""
    health = await known.running.health.Check(health_pb2.HealthCheckRequest())
    assert health.status == health_pb2.HealthCheckResponse.SERVING
    reflection = reflection_pb2_grpc.ServerReflectionStub(known.running.channel).ServerReflectionInfo
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await _first(reflection(iter([asked])))
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    answer = await _first(reflection(iter([asked]), metadata=known.sent["bob"]))
    assert "sheetgrpc.v1.SessionService" in {one.name for one in answer.list_services_response.service}


async def _first(stream: Any) -> Any:
    return await anext(aiter(stream))


@pytest.mark.parametrize(("path", "field"), ABOUT, ids=lambda one: one.rpartition("/")[2])
async def test_what_is_anothers_is_not_there(known: Identified, hers: Hers, path: str, field: str) -> None:
    """D-5, D-10: by id, by prefix and by label, for every RPC that names a session, a sheet, an execution, a task."""
    thing = getattr(hers, NAMING[field])
    names = [thing, thing.lower(), thing[:12], LABEL] if field == "session" else [thing]
    for name in names:
        found = await refusal_of(known, path, request_of(path, **{field: name}), known.sent["bob"])
        assert found.code is grpc.StatusCode.NOT_FOUND, (name, found)
        unknown = name[:-1] + ("0" if name[-1] != "0" else "1")
        alike = await refusal_of(known, path, request_of(path, **{field: unknown}), known.sent["bob"])
        assert (found.reason, found.message.replace(name, "*")) == (alike.reason, alike.message.replace(unknown, "*"))


@pytest.mark.parametrize("rpc", [name for name in REQUIRED_ROLES if any(path.endswith(f"/{name}") for path in RPCS)])
async def test_a_call_for_a_role_is_refused_to_all_others(known: Identified, rpc: str) -> None:
    """D-10."""
    (path,) = [path for path in RPCS if path.endswith(f"/{rpc}")]
    for name in ("ana", "olga" if REQUIRED_ROLES[rpc] != "operator" else "pia"):
        found = await refusal_of(known, path, request_of(path), known.sent[name])
        assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
        assert found.metadata == {"role": REQUIRED_ROLES[rpc]}


async def test_lists_hold_the_callers_own(known: Identified, hers: Hers) -> None:
    """D-10: with and without a filter that would find it."""
    for fields in ({}, {"label": LABEL}, {"states": [9]}):
        listing = sessions.ListSessionsRequest(page_size=1000, **fields)
        found = [
            {one.id for one in (await known.running.sessions.ListSessions(listing, metadata=known.sent[name])).sessions}
            for name in ("ana", "bob")
        ]
        assert hers.session in found[0]
        assert hers.session not in found[1]
    for fields in ({}, {"states": [5]}, {"dead_letters_only": False}):
        asked = executions.ListExecutionsRequest(page_size=1000, **fields)
        found = [
            {
                one.id
                for one in (await known.running.executions.ListExecutions(asked, metadata=known.sent[name])).executions
            }
            for name in ("ana", "bob")
        ]
        assert hers.execution in found[0]
        assert found[1] == set()


async def test_an_operator_holds_the_queue_and_everybody_reads_its_figures(known: Identified) -> None:
    """D-10: figures are of all callers, and name nothing of any."""
    control, sent = known.running.control, known.sent
    held = await control.PauseQueue(PauseQueueRequest(), metadata=sent["olga"])
    assert held.queue.changed_by == "olga"
    figures = [
        (await control.GetQueueStats(GetQueueStatsRequest(), metadata=sent[name])).queue_stats
        for name in ("ana", "bob")
    ]
    assert [one.queue.changed_by for one in figures] == ["olga", "olga"]
    assert figures[0].execution_count == figures[1].execution_count
    let_go = await control.ResumeQueue(ResumeQueueRequest(), metadata=sent["olga"])
    assert let_go.queue.mode == QUEUE_MODE_RUNNING


async def test_two_callers_may_use_one_label(known: Identified, hers: Hers) -> None:
    """D-5: a label that is taken would tell that another has it."""
    running, bob = known.running, known.sent["bob"]
    created = await running.sessions.CreateSession(sessions.CreateSessionRequest(labels=[LABEL]), metadata=bob)
    named = sessions.GetSessionRequest(session=LABEL)
    assert (await running.sessions.GetSession(named, metadata=bob)).session.id == created.session.id
    other = await running.sessions.CreateSession(sessions.CreateSessionRequest(), metadata=bob)
    moved = sessions.LabelSessionRequest(session=other.session.id, label=LABEL)
    await running.sessions.LabelSession(moved, metadata=bob)
    assert (await running.sessions.GetSession(named, metadata=bob)).session.id == other.session.id
    assert (await running.sessions.GetSession(named, metadata=known.sent["ana"])).session.id == hers.session


async def test_a_request_id_is_the_callers_own(known: Identified) -> None:
    """D-10, D-44: another's repeat of it is a first use."""
    request = sessions.CreateSessionRequest(name="n", request_id="the-same")
    ids = [
        (await known.running.sessions.CreateSession(request, metadata=known.sent[name])).session.id
        for name in ("ana", "bob", "ana")
    ]
    assert ids[0] == ids[2] != ids[1]


async def test_callers_are_named_where_they_did_something(known: Identified, hers: Hers) -> None:
    """C-R37: owner, submitter, and the actor of each event; what the server did has none."""
    running, ana = known.running, known.sent["ana"]
    got = await running.sessions.GetSession(
        sessions.GetSessionRequest(session=hers.session, recent_events=100), metadata=ana
    )
    assert got.session.owner == "ana"
    assert {event.actor for event in got.recent_events if event.type != "ExecutionFinished"} == {"ana"}
    assert {event.actor for event in got.recent_events if event.type == "ExecutionFinished"} == {""}
    asked = executions.GetExecutionRequest(execution=hers.execution)
    assert (await running.executions.GetExecution(asked, metadata=ana)).execution.submitted_by == "ana"


async def test_without_tokens_every_caller_is_anonymous(server: Running) -> None:
    created = await server.sessions.CreateSession(sessions.CreateSessionRequest(), metadata=bearer("whatever"))
    assert created.session.owner == "anonymous"
    info = (await server.control.GetServerInfo(GetServerInfoRequest())).server_info
    assert info.authentication == "none"


async def test_what_was_made_before_there_were_tokens_is_nobodys(tmp_path: Path, start_server: Any) -> None:
    """The sessions of anonymous callers stay theirs: no token makes one anonymous."""
    first = await start_server()
    created = await first.sessions.CreateSession(sessions.CreateSessionRequest())
    await first.server.stop(0)
    async with run_identified(tmp_path) as later:
        asked = sessions.GetSessionRequest(session=created.session.id)
        found = await refused(later.running.sessions.GetSession(asked, metadata=later.sent["ana"]))
        assert found.reason == "SESSION_NOT_FOUND"


async def test_an_approver_reads_what_is_to_be_approved_and_no_more(known: Identified, hers: Hers) -> None:
    """The plan, its effects and its sheet; not the session, and nothing that no approval was asked for."""
    running, pia = known.running, known.sent["pia"]
    got = await running.approvals.GetApproval(GetApprovalRequest(approval=hers.approval), metadata=pia)
    plan, sheet = got.approval.plan_execution_id, got.approval.sheet_id
    effects = await running.executions.ListEffects(executions.ListEffectsRequest(execution=plan), metadata=pia)
    assert [effect.table for effect in effects.effects] == []  # what ana applied before is unchanged
    answer = await running.executions.GetExecution(executions.GetExecutionRequest(execution=plan), metadata=pia)
    assert answer.execution.dry_run
    assert (await running.sheets.GetSheet(GetSheetRequest(sheet_id=sheet), metadata=pia)).sheet.statement_count == 1
    for path, fields in (
        ("SessionService/GetSession", {"session": got.approval.session_id}),
        ("ExecutionService/GetExecution", {"execution": hers.execution}),
        ("SheetService/GetSheet", {"sheet_id": hers.sheet}),
        ("ExecutionService/CancelExecution", {"execution": plan}),
        ("ExecutionService/ListEffects", {"execution": hers.execution}),
    ):
        found = await refusal_of(known, f"/sheetgrpc.v1.{path}", request_of(f"/sheetgrpc.v1.{path}", **fields), pia)
        assert found.code is grpc.StatusCode.NOT_FOUND, path


async def test_approvals_over_the_wire(known: Identified) -> None:
    """Asked for by one, approved by another, listed for both."""
    running, sent = known.running, known.sent
    created = await running.sessions.CreateSession(sessions.CreateSessionRequest(), metadata=sent["bob"])
    asked = await ask(running, sent["bob"], created)
    request = DecideApprovalRequest(approval=asked.id.lower(), verdict=APPROVAL_VERDICT_APPROVE, notes="fine")
    decided = (await running.approvals.DecideApproval(request, metadata=sent["paul"])).approval
    assert (decided.state, decided.decisions[0].approver) == (APPROVAL_STATE_APPROVED, "paul")
    again = await refused(running.approvals.DecideApproval(request, metadata=sent["pia"]))
    assert (again.code, again.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "APPROVAL_DECIDED")
    for name, there in (("bob", True), ("pia", True), ("ana", False)):
        listing = ListApprovalsRequest(states=[APPROVAL_STATE_APPROVED], page_size=1000)
        listed = (await running.approvals.ListApprovals(listing, metadata=sent[name])).approvals
        assert (asked.id in {one.id for one in listed}) is there

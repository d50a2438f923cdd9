"""A server that knows its callers by tokens, and what one of them has there; for the tests of who may see what."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from tests.rpc.serving import Running, run_server

from sheetgrpc.server.app import SERVICES
from sheetgrpc.server.tokens import make
from sheetgrpc.v1.approval_pb2 import Approval
from sheetgrpc.v1.approval_service_pb2 import RequestApprovalRequest
from sheetgrpc.v1.execution_service_pb2 import ExecuteSheetRequest, PlanSheetRequest, WatchExecutionRequest
from sheetgrpc.v1.session_service_pb2 import CreateSessionRequest
from sheetgrpc.v1.sheet_service_pb2 import ImportSheetRequest, ParseSheetRequest
from sheetgrpc.v1.task_pb2 import TASK_KIND_ROUTING
from sheetgrpc.v1.task_service_pb2 import CreateTaskRequest

Sent = tuple[tuple[str, str], ...]
LABEL = "quarterly"
SOURCE = '(cbu.ensure :name "Ana" :jurisdiction "LU" :as @a)'
ROLES = {"ana": (), "bob": (), "olga": ("operator",), "pia": ("approver",), "paul": ("approver",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hers:
    """What ana has: a session with a label, whose sheet was applied, and a task."""

    session: str
    sheet: str
    execution: str
    approval: str
    task: str


@dataclass(frozen=True, slots=True)
class Identified:
    """The server, and what each caller sends to be known."""

    running: Running
    sent: dict[str, Sent]
    file: Path


def bearer(token: str) -> Sent:
    return (("authorization", f"Bearer {token}"),)


@asynccontextmanager
async def run_identified(folder: Path, **settings: Any) -> AsyncIterator[Identified]:
    made = {name: make(name, roles) for name, roles in ROLES.items()}
    file = folder / "tokens"
    file.write_text("# who calls\n\n" + "\n".join(line for _, line in made.values()) + "\n")
    async with run_server(f"sqlite:///{folder}/test.db", tokens=str(file), **settings) as running:
        yield Identified(running, {name: bearer(token) for name, (token, _) in made.items()}, file)


async def give_ana(known: Identified) -> Hers:
    running, sent = known.running, known.sent["ana"]
    created = await running.sessions.CreateSession(CreateSessionRequest(labels=[LABEL]), metadata=sent)
    session = created.session.id
    await running.sheets.ImportSheet(ImportSheetRequest(session=session, source=SOURCE), metadata=sent)
    parsed = await running.sheets.ParseSheet(ParseSheetRequest(session=session), metadata=sent)
    ran = running.executions.ExecuteSheet(ExecuteSheetRequest(session=session, confirm=True), metadata=sent)
    updates = [update async for update in ran]
    approval = await ask(running, sent, (await running.sessions.CreateSession(CreateSessionRequest(), metadata=sent)))
    wanted = CreateTaskRequest(
        kind=TASK_KIND_ROUTING, description="d", from_role="desk", to_role="loader", session=session
    )
    task = (await running.tasks.CreateTask(wanted, metadata=sent)).task
    execution = updates[-1].finished
    return Hers(session=session, sheet=parsed.sheet.id, execution=execution.id, approval=approval.id, task=task.id)


async def ask(running: Running, sent: Sent, created: Any, source: str = SOURCE) -> Approval:
    """An approval of a sheet's plan, pending."""
    session = created.session.id
    await running.sheets.ImportSheet(ImportSheetRequest(session=session, source=source), metadata=sent)
    await running.sheets.ParseSheet(ParseSheetRequest(session=session), metadata=sent)
    queued = await running.executions.PlanSheet(PlanSheetRequest(session=session), metadata=sent)
    watching = running.executions.WatchExecution(WatchExecutionRequest(execution=queued.execution.id), metadata=sent)
    planned = [update async for update in watching][-1].finished
    request = RequestApprovalRequest(session=session, plan_digest=planned.plan_digest, notes="please")
    return (await running.approvals.RequestApproval(request, metadata=sent)).approval


def rpcs() -> dict[str, MethodDescriptor]:
    """Every RPC of every service of ours, by its path."""
    return {f"/{service.full_name}/{rpc.name}": rpc for service in SERVICES for rpc in service.methods}


async def send(channel: grpc.aio.Channel, path: str, request: Message, sent: Sent = ()) -> Message:
    """The answer to an RPC, or the first of its stream."""
    rpc = rpcs()[path]
    shape: Descriptor = rpc.output_type
    read = GetMessageClass(shape).FromString
    if rpc.server_streaming:
        stream = channel.unary_stream(path, type(request).SerializeToString, read)(request, metadata=sent, timeout=30)
        first: Message = await stream.read()
        stream.cancel()
        return first
    answer: Message = await channel.unary_unary(path, type(request).SerializeToString, read)(
        request, metadata=sent, timeout=30
    )
    return answer

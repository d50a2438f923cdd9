"""The SDK reaches every RPC there is, and its words are the protos'."""

from collections.abc import AsyncIterator, Awaitable, Iterator
from datetime import timedelta
from importlib import import_module
from inspect import isasyncgen, isawaitable
from pathlib import Path
from typing import get_args

import grpc
import pytest
from google.protobuf.descriptor import EnumDescriptor, ServiceDescriptor

import sheetgrpc.v1
from sheetgrpc.client import NEVER, Client, SheetgrpcError, connect, entry, words
from sheetgrpc.v1 import approval_pb2, execution_pb2, session_pb2, session_service_pb2, statement_pb2, task_pb2
from sheetgrpc.v1.execution_service_pb2 import WatchExecutionResponse
from sheetgrpc.v1.session_service_pb2 import WatchSessionResponse

EXECUTION = "sheetgrpc.v1.ExecutionService"


class Everything(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # not generic at run time
    """Answers any RPC with an empty message, or a stream of one finished execution."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        self.asked.add(details.method)

        async def answer(request: bytes, context: object) -> bytes:
            return b""

        async def stream(request: bytes, context: object) -> AsyncIterator[bytes]:
            yield WatchExecutionResponse(finished=execution_pb2.Execution(id="RUN")).SerializeToString()

        async def watch(request: bytes, context: object) -> AsyncIterator[bytes]:
            yield WatchSessionResponse(event={"sequence": 1}).SerializeToString()

        if details.method == "/sheetgrpc.v1.SessionService/WatchSession":
            return grpc.unary_stream_rpc_method_handler(watch)
        if details.method in {f"/{EXECUTION}/ExecuteSheet", f"/{EXECUTION}/WatchExecution"}:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(answer)


def services() -> Iterator[ServiceDescriptor]:
    for path in sorted(Path(sheetgrpc.v1.__file__).parent.glob("*_service_pb2.py")):
        yield from import_module(f"sheetgrpc.v1.{path.stem}").DESCRIPTOR.services_by_name.values()


async def call_everything(client: Client) -> None:
    session = await client.sessions.create("n", metadata={"a": [1, {"b": None}]}, labels=["l"])
    calls: list[Awaitable[object] | AsyncIterator[object]] = [
        client.sessions.get("x"),
        client.sessions.resume("x"),
        client.sessions.list(states=["READY"], lifecycles=["ACTIVE"]),
        client.sessions.symbols("x"),
        client.sessions.events("x", types=["ScopeSet"]),
        client.sessions.watch("x"),
        session.refresh(),
        session.label("l"),
        session.update(name="", metadata={"a": None}),
        session.append_events([entry("WARN", "x", data={"a": 1})]),
        session.set_scope("cbu", everything=True),
        session.clear_scope(),
        session.set_template("(a.b)"),
        session.confirm_intent(),
        session.generate_sheet(),
        session.import_sheet("(a.b)"),
        session.parse_sheet(),
        session.resolve_reference("r", "k"),
        session.submit_sheet(confirm=True, mode="ATOMIC_COLLECT"),
        session.plan_sheet(timeout=timedelta(seconds=1)),
        session.execute_sheet(confirm=True, plan_digest="d", max_rows_affected=1, table_budgets={"t": 1}),
        session.reset("EMPTY"),
        session.undo(),
        session.redo(),
        session.fork(at_sequence=1, name="n", expected_version=1),
        session.renew(),
        session.request_approval("d", notes="n", expected_version=1),
        session.close("FAILED"),
        client.sheets.check("(a.b)"),
        client.sheets.get(session="x"),
        client.sheets.statements(sheet_id="x"),
        client.sheets.phases(session="x"),
        client.sheets.diagnostics(session="x"),
        client.sheets.references(session="x", unresolved_only=True),
        client.executions.get("x"),
        client.executions.cancel("x", wait=timedelta(seconds=1)),
        client.executions.watch("x"),
        client.executions.list(states=["RUNNING"]),
        client.executions.replay("x", confirm=True),
        client.executions.receipts("x"),
        client.executions.results("x", statuses=["FAILED"]),
        client.executions.effects("x", tables=["t"], kinds=["UPDATED"]),
        client.approvals.get("x"),
        client.approvals.decide("x", "APPROVE"),
        client.approvals.list(states=["PENDING"], session="x"),
        client.catalog.get(),
        client.catalog.verbs(),
        client.catalog.search("cbu", "x"),
        client.control.server_info(),
        client.tasks.create("ROUTING", "d", from_role="a", to_role="b", data={"a": 1}),
        client.tasks.get("x"),
        client.tasks.list(kinds=["APPROVAL"], states=["PENDING"]),
        client.tasks.update("x", "ACTIVE", data={"a": None}, expected_version=1),
        client.tasks.status(task="x"),
        client.control.ping(),
        client.control.queue_stats(),
        client.control.pause_queue("DRAIN"),
        client.control.resume_queue(module="m"),
    ]
    for call in calls:
        if isawaitable(call):
            await call
        else:
            assert isasyncgen(call) or hasattr(call, "close")
            async for _ in call:
                pass


async def test_every_rpc_of_the_protos_is_reached() -> None:
    handler = Everything()
    server = grpc.aio.server(handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with connect(f"127.0.0.1:{port}", retry=NEVER) as client:
        await call_everything(client)
    await server.stop(None)
    wanted = {f"/{service.full_name}/{method.name}" for service in services() for method in service.methods}
    assert handler.asked == wanted


async def test_an_unreachable_server_is_told_at_once_without_retries() -> None:
    async with connect("127.0.0.1:1", retry=NEVER) as client:
        with pytest.raises(SheetgrpcError) as raised:
            await client.control.server_info()
    assert raised.value.code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("literal", "enum"),
    [
        (words.State, session_pb2.SessionState.DESCRIPTOR),
        (words.Lifecycle, session_pb2.SessionLifecycle.DESCRIPTOR),
        (words.RunState, execution_pb2.ExecutionState.DESCRIPTOR),
        (words.Mode, execution_pb2.ExecutionMode.DESCRIPTOR),
        (words.EntryKind, session_service_pb2.SessionEntryKind.DESCRIPTOR),
        (words.TaskKind, task_pb2.TaskKind.DESCRIPTOR),
        (words.TaskState, task_pb2.TaskState.DESCRIPTOR),
        (words.ApprovalWord, approval_pb2.ApprovalState.DESCRIPTOR),
        (words.VerdictWord, approval_pb2.ApprovalVerdict.DESCRIPTOR),
        (words.Status, statement_pb2.StatementStatus.DESCRIPTOR),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_words_are_the_enums_values(literal: object, enum: EnumDescriptor) -> None:
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    assert list(get_args(literal)) == [value.name.removeprefix(prefix) for value in enum.values[1:]]


def test_a_value_of_a_newer_server_has_a_word_too() -> None:
    assert words.session_state(99) == "UNKNOWN_99"  # type: ignore[arg-type]  # no value of today's enum
    assert words.execution_state(execution_pb2.EXECUTION_STATE_PARTIAL) == "PARTIAL"

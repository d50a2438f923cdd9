"""CancelExecution over the wire, on every backend, while the run stands still: callers that go away, what streams show.

Rows of control.md 3.2 that are about the calls themselves; what a cancel does is in tests/engine.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import msgspec
import pytest
from google.protobuf.duration_pb2 import Duration
from tests.engine.stopping import Gate, Gated
from tests.rpc.serving import Running, refused
from tests.rpc.test_executions import SHEET, prepare
from tests.rpc.test_queue import finish

from sheetgrpc.config import Settings
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.opening import open_engine
from sheetgrpc.server.app import Server
from sheetgrpc.v1 import execution_pb2
from sheetgrpc.v1 import execution_service_pb2 as executions

pytestmark = pytest.mark.asyncio(loop_scope="session")

CANCELLED = execution_pb2.EXECUTION_STATE_CANCELLED
CANCELLING = execution_pb2.EXECUTION_STATE_CANCELLING
SUCCEEDED = execution_pb2.EXECUTION_STATE_SUCCEEDED
REQUESTED = executions.CANCEL_OUTCOME_CANCEL_REQUESTED
WAIT = Duration(seconds=60)


@asynccontextmanager
async def held(url: str) -> AsyncIterator[tuple[Running, Gate, Any]]:
    """A server with a run that stands still at its first write, and the stream that watches it."""
    wanted = Settings(database=url, listen="127.0.0.1:0")
    engine = await open_engine(wanted)
    gate = Gate("apply")
    store: Any = Gated(engine.store, gate)
    engine = Engine(msgspec.structs.replace(engine._context, store=store))
    server = Server(engine)
    try:
        await server.start()
        async with grpc.aio.insecure_channel(server.address) as channel:
            running = Running(server, engine, channel)
            session, _ = await prepare(running, SHEET)
            request = executions.ExecuteSheetRequest(session=session, confirm=True)
            stream = running.executions.ExecuteSheet(request)
            await gate.reached.wait()
            yield running, gate, stream
    finally:
        gate.opened.set()
        await server.stop(0)


async def started(stream: Any) -> str:
    """The execution of a stream, by its first message."""
    return str((await stream.read()).snapshot.id)


async def shown(server: Running, execution: str) -> Any:
    return (await server.executions.GetExecution(executions.GetExecutionRequest(execution=execution))).execution


def cancelling(server: Running, execution: str, **more: Any) -> Any:
    """The call, under way."""
    return server.executions.CancelExecution(executions.CancelExecutionRequest(execution=execution, wait=WAIT), **more)


@pytest.mark.parametrize("judged", [False, True])
async def test_a_client_that_drops_its_cancel_has_cancelled(url: str, judged: bool) -> None:
    """C-3.2 "client drops the CancelJob RPC": cancel still takes effect, also where it had not been judged."""
    async with held(url) as (server, gate, stream):
        execution = await started(stream)
        run = gate.opened
        if not judged:
            gate.set("execution")
        call = cancelling(server, execution)
        if judged:
            while (await shown(server, execution)).state != CANCELLING:
                pass  # each look is a call
        else:
            await gate.reached.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        asked = server.engine._context.runs.get(execution)
        assert asked is not None
        gate.opened.set()
        await asked.asked.wait()
        run.set()
        assert (await finish(server, execution)).state == CANCELLED


async def test_a_cancel_whose_deadline_passes_takes_effect(url: str) -> None:
    """C-3.2 "... or its deadline passes"."""
    async with held(url) as (server, gate, stream):
        execution = await started(stream)
        call = cancelling(server, execution, timeout=2)
        while (await shown(server, execution)).state != CANCELLING:
            pass  # as above
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call
        assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        gate.opened.set()
        ended = await finish(server, execution)
        assert (ended.state, ended.cancelled_by) == (CANCELLED, "anonymous")


async def test_a_client_that_drops_its_stream_cancels_nothing(url: str) -> None:
    """C-3.2 "client drops the ExecuteSheet stream", detached; there is no attached mode (DESIGN section 7)."""
    async with held(url) as (server, gate, stream):
        execution = await started(stream)
        stream.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stream.read()
        assert (await shown(server, execution)).state == execution_pb2.EXECUTION_STATE_RUNNING
        gate.opened.set()
        ended = await finish(server, execution)
        assert (ended.state, ended.cancelled_by) == (SUCCEEDED, "")


async def test_it_reads_as_being_cancelled_until_its_end_is_there(url: str) -> None:
    """C-R30, C-3.2 "UI: RPC success then still RUNNING": by whatever it is read, however often it is asked."""
    async with held(url) as (server, gate, stream):
        execution = await started(stream)
        request = executions.CancelExecutionRequest(execution=execution)
        first = await server.executions.CancelExecution(request)
        assert (first.outcome, first.execution.state) == (REQUESTED, CANCELLING)
        again = await server.executions.CancelExecution(request)
        assert again.outcome == executions.CANCEL_OUTCOME_ALREADY_CANCELLING
        listed = await server.executions.ListExecutions(executions.ListExecutionsRequest())
        watching = server.executions.WatchExecution(executions.WatchExecutionRequest(execution=execution))
        read = [again.execution, await shown(server, execution), *listed.executions, (await watching.read()).snapshot]
        assert [one.state for one in read] == [CANCELLING] * 4
        gate.opened.set()
        states = []
        while (message := await stream.read()) is not grpc.aio.EOF:
            states += [getattr(message, name).state for name in ("snapshot", "finished") if message.HasField(name)]
        assert states == [CANCELLING, CANCELLED]


@pytest.mark.parametrize(
    ("execution", "reason"),
    [
        ("", "INVALID_FIELD"),
        ("0", "EXECUTION_NOT_FOUND"),
        ("-1", "EXECUTION_NOT_FOUND"),
        (str(2**63), "EXECUTION_NOT_FOUND"),
        ("x\0y", "INVALID_FIELD"),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "EXECUTION_NOT_FOUND"),
    ],
)
async def test_an_id_of_nothing_is_refused(server: Running, execution: str, reason: str) -> None:
    """C-R25, C-3.2 "cancel unknown id, 0, negative, > 2^63-1: NOT_FOUND / INVALID_ARGUMENT"."""
    refusal = await refused(server.executions.CancelExecution(executions.CancelExecutionRequest(execution=execution)))
    wanted = "INVALID_ARGUMENT" if reason == "INVALID_FIELD" else "NOT_FOUND"
    assert (refusal.code.name, refusal.reason) == (wanted, reason)

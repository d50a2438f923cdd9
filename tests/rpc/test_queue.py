"""The queue over the wire: priorities, receipts, replays, pauses, figures; what is refused and how."""

from typing import Any

import grpc
import pytest
import pytest_asyncio
from tests.rpc.conftest import StartServer
from tests.rpc.serving import Running, refused
from tests.rpc.test_executions import SHEET, prepare

from sheetgrpc.v1 import control_service_pb2 as control
from sheetgrpc.v1 import execution_pb2
from sheetgrpc.v1 import execution_service_pb2 as executions

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def running(start_server: StartServer) -> Running:
    """A server whose queue is its own."""
    return await start_server(max_queued=2)


async def submit(server: Running, **more: Any) -> Any:
    session, _ = await prepare(server, SHEET)
    request = executions.SubmitSheetRequest(session=session, confirm=True, **more)
    return (await server.executions.SubmitSheet(request)).execution


async def finish(server: Running, execution: str) -> Any:
    last = None
    async for message in server.executions.WatchExecution(executions.WatchExecutionRequest(execution=execution)):
        last = message
    assert last is not None
    return last.finished


async def _first(call: Any) -> Any:
    """The answer of a call, or the first message of a stream."""
    return await (call.read() if hasattr(call, "read") else call)


async def stats(server: Running) -> Any:
    return (await server.control.GetQueueStats(control.GetQueueStatsRequest())).queue_stats


@pytest.mark.parametrize("priority", [-101, 101, 2**31 - 1])
async def test_a_priority_has_bounds(running: Running, priority: int) -> None:
    session, _ = await prepare(running, SHEET)
    for call, request in (
        (running.executions.SubmitSheet, executions.SubmitSheetRequest),
        (running.executions.ExecuteSheet, executions.ExecuteSheetRequest),
    ):
        refusal = await refused(_first(call(request(session=session, confirm=True, priority=priority))))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


async def test_a_paused_queue_tells_so_wherever_it_is_asked(running: Running) -> None:
    """C-3.9; S-R38: a pause is told, a submit refused, and both are over with the resume."""
    assert not (await running.control.GetServerInfo(control.GetServerInfoRequest())).server_info.queue_paused
    paused = await running.control.PauseQueue(control.PauseQueueRequest(mode=control.QUEUE_MODE_REJECT))
    assert paused.queue.mode == control.QUEUE_MODE_REJECT
    assert paused.queue.changed_by == "anonymous"
    assert (await running.control.GetServerInfo(control.GetServerInfoRequest())).server_info.queue_paused
    session, _ = await prepare(running, SHEET)
    request = executions.SubmitSheetRequest(session=session, confirm=True)
    refusal = await refused(running.executions.SubmitSheet(request))
    assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
    assert (refusal.reason, dict(refusal.metadata)) == ("QUEUE_PAUSED", {"mode": "REJECT"})
    resumed = await running.control.ResumeQueue(control.ResumeQueueRequest())
    assert resumed.queue.mode == control.QUEUE_MODE_RUNNING
    answer = await running.executions.SubmitSheet(request)
    assert (await finish(running, answer.execution.id)).state == execution_pb2.EXECUTION_STATE_SUCCEEDED


async def test_the_queue_cannot_be_paused_to_run(running: Running) -> None:
    request = control.PauseQueueRequest(mode=control.QUEUE_MODE_RUNNING)
    assert (await refused(running.control.PauseQueue(request))).reason == "INVALID_FIELD"


async def test_a_full_queue_says_when_to_come_back(running: Running) -> None:
    await running.control.PauseQueue(control.PauseQueueRequest())
    waiting = [await submit(running, priority=3) for _ in range(2)]
    session, _ = await prepare(running, SHEET)
    request = executions.SubmitSheetRequest(session=session, confirm=True)
    refusal = await refused(running.executions.SubmitSheet(request))
    assert refusal.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refusal.reason == "QUEUE_FULL"
    assert refusal.details["RetryInfo"].retry_delay.seconds == 1
    found = await stats(running)
    assert [(one.state, one.count) for one in found.state_counts] == [(execution_pb2.EXECUTION_STATE_QUEUED, 2)]
    assert (found.execution_count, found.max_queued, found.running) == (2, 2, 0)
    assert found.max_running == running.engine.slots
    assert found.oldest_queued_time == waiting[0].submit_time
    assert waiting[0].priority == 3


async def test_every_attempt_has_a_receipt(running: Running) -> None:
    ended = await finish(running, (await submit(running)).id)
    listed = await running.executions.ListReceipts(executions.ListReceiptsRequest(execution=ended.id))
    (receipt,) = listed.receipts
    assert receipt.outcome == execution_pb2.ATTEMPT_OUTCOME_SUCCEEDED
    assert (receipt.execution_id, receipt.epoch) == (ended.id, ended.epoch)
    assert (receipt.start_time, receipt.end_time) == (ended.start_time, ended.end_time)
    assert list(receipt.tables) == list(ended.tables)
    assert receipt.sheet_digest == ended.sheet_digest
    unknown = executions.ListReceiptsRequest(execution="01ARZ3NDEKTSV4RRFFQ69G5FAV")
    refusal = await refused(running.executions.ListReceipts(unknown))
    assert refusal.code is grpc.StatusCode.NOT_FOUND
    assert refusal.reason == "EXECUTION_NOT_FOUND"


async def test_a_replay_is_answered_once_and_links_to_its_original(running: Running) -> None:
    await running.control.PauseQueue(control.PauseQueueRequest())
    original = await submit(running, priority=9)
    await running.executions.CancelExecution(executions.CancelExecutionRequest(execution=original.id))
    unconfirmed = executions.ReplayExecutionRequest(execution=original.id)
    refusal = await refused(running.executions.ReplayExecution(unconfirmed))
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.reason == "CONFIRMATION_REQUIRED"
    request = executions.ReplayExecutionRequest(execution=original.id.lower(), confirm=True, request_id="again")
    answer = await running.executions.ReplayExecution(request)
    assert (answer.execution.replay_of, answer.execution.priority) == (original.id, 9)
    assert await running.executions.ReplayExecution(request) == answer
    found = await running.executions.ListExecutions(executions.ListExecutionsRequest(replay_of=original.id))
    assert [one.id for one in found.executions] == [answer.execution.id]
    other = executions.ReplayExecutionRequest(execution=original.id, confirm=True)
    refusal = await refused(running.executions.ReplayExecution(other))
    assert refusal.code is grpc.StatusCode.FAILED_PRECONDITION
    assert refusal.reason == "EXECUTION_NOT_REPLAYABLE"
    assert refusal.metadata["replayedBy"] == answer.execution.id
    await running.control.ResumeQueue(control.ResumeQueueRequest())
    assert (await finish(running, answer.execution.id)).state == execution_pb2.EXECUTION_STATE_SUCCEEDED


async def test_ping_answers(running: Running) -> None:
    assert (await running.control.Ping(control.PingRequest())).time.seconds > 0

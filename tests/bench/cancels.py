"""Row (m): how long from a cancel at a random moment of a run to its rollback, recorded and told."""

import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable

from google.protobuf.duration_pb2 import Duration

from sheetgrpc.v1 import execution_pb2
from sheetgrpc.v1 import execution_service_pb2 as pb
from sheetgrpc.v1.execution_service_pb2_grpc import ExecutionServiceStub

WAIT = Duration(seconds=60)

Ready = Callable[[], Awaitable[str]]


async def time_cancels(executions: ExecutionServiceStub, ready: Ready, lasts: float, rounds: int) -> tuple[float, str]:
    """Milliseconds of the slowest of a hundred cancels that were in time, and the rest in words.

    `ready` makes a session to run; a run `lasts` so many seconds.
    """
    chance = random.Random(7)
    found: list[float] = []
    undone: list[float] = []
    for _ in range(rounds):
        submitted = await executions.SubmitSheet(pb.SubmitSheetRequest(session=await ready(), confirm=True))
        await asyncio.sleep(chance.random() * lasts)
        began = time.perf_counter()
        request = pb.CancelExecutionRequest(execution=submitted.execution.id, wait=WAIT)
        answer = await executions.CancelExecution(request)
        seconds = time.perf_counter() - began
        if answer.execution.state == execution_pb2.EXECUTION_STATE_CANCELLED:
            found.append(seconds)
            asked, ended = answer.execution.cancel_time, answer.execution.end_time
            undone.append((ended.ToMicroseconds() - asked.ToMicroseconds()) / 1000)
    found.sort()
    told = (
        f"median {statistics.median(found) * 1000:.0f} ms, undone after {max(undone):.0f} ms at most,"
        f" {len(found)} in time, a run {lasts * 1000:.0f} ms"
    )
    return found[int(len(found) * 0.99)] * 1000, told

"""The service on a database that is about to suffer, and what tests ask of it again and again."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from tests.rpc.serving import Running, refused, run_server

from sheetgrpc.v1 import execution_pb2
from sheetgrpc.v1 import execution_service_pb2 as executions
from sheetgrpc.v1 import session_service_pb2 as sessions
from sheetgrpc.v1 import sheet_service_pb2 as sheets

PATIENCE = 1.0  # seconds: the server's for a connection
SOON = 8.0  # by when a refusal is there, on a machine that has other things to do too
LONG = 60.0
SHEET = "\n".join(f'(cbu.ensure :name "N{at}" :jurisdiction "LU")' for at in range(20))


@asynccontextmanager
async def serving(url: str, *, retry_delays: tuple[float, ...] = (), **settings: Any) -> AsyncIterator[Running]:
    """A server with little patience, that writes nothing by itself and tries no run again unless it is told to."""
    usual = {"writer_timeout": PATIENCE, "heartbeat_interval": 0.2, "sweep_interval": 3600.0, "poll_interval": 0.2}
    async with run_server(url, retry_delays=retry_delays, **usual, **settings) as running:
        yield running


async def healthy(server: Running) -> bool:
    """What health says, and how soon."""
    began = time.monotonic()
    answer = await server.health.Check(health_pb2.HealthCheckRequest(), timeout=LONG)
    assert time.monotonic() - began < SOON
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def recovered(server: Running) -> None:
    """Until it serves again, which nobody helps it with."""
    async with asyncio.timeout(LONG):
        while not await healthy(server):
            pass


def create(request_id: str) -> sessions.CreateSessionRequest:
    return sessions.CreateSessionRequest(name=request_id, request_id=request_id)


async def unavailable(server: Running, request_id: str) -> str:
    """The reason of a refusal, which comes soon."""
    began = time.monotonic()
    answer = await refused(server.sessions.CreateSession(create(request_id), timeout=LONG))
    assert time.monotonic() - began < SOON
    assert answer.code is grpc.StatusCode.UNAVAILABLE
    assert "RetryInfo" in answer.details
    return answer.reason


async def names(server: Running) -> list[str]:
    """Of all sessions, oldest first."""
    answer = await server.sessions.ListSessions(sessions.ListSessionsRequest(page_size=1000))
    return [one.name for one in answer.sessions][::-1]


async def ready(server: Running, source: str = SHEET) -> str:
    """A session with a parsed sheet."""
    session = (await server.sessions.CreateSession(sessions.CreateSessionRequest())).session.id
    await server.sheets.ImportSheet(sheets.ImportSheetRequest(session=session, source=source))
    await server.sheets.ParseSheet(sheets.ParseSheetRequest(session=session))
    return session


async def submit(server: Running, session: str, request_id: str = "") -> Any:  # Any: gRPC's call
    request = executions.SubmitSheetRequest(session=session, confirm=True, request_id=request_id)
    return await server.executions.SubmitSheet(request)


async def ended(server: Running, execution: str) -> execution_pb2.Execution:
    """How it ended, by a stream that goes on through whatever happens meanwhile."""
    async with asyncio.timeout(LONG):
        async for update in server.executions.WatchExecution(executions.WatchExecutionRequest(execution=execution)):
            if update.HasField("finished"):
                return update.finished
    raise AssertionError("the stream ended without an end")

# ruff: noqa: N802  (servicers spell RPCs as the protos do)
"""A real grpc.aio server that answers what a test tells it to, call by call, and remembers what it was asked."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from sheetgrpc.client import Retry
from sheetgrpc.v1 import execution_service_pb2 as execution
from sheetgrpc.v1 import (
    execution_service_pb2_grpc,
    session_service_pb2_grpc,
    sheet_service_pb2_grpc,
)
from sheetgrpc.v1 import session_service_pb2 as session
from sheetgrpc.v1 import sheet_service_pb2 as sheet

Context = grpc.aio.ServicerContext[Message, Message]


@dataclass(frozen=True)
class Refuse:
    """End the call with this status."""

    code: grpc.StatusCode
    message: str = "refused"
    details: Sequence[Message] = ()


@dataclass(frozen=True)
class Wait:
    """Never answer: wait for something that does not come."""

    until: Callable[[], Awaitable[object]]


M = TypeVar("M", bound=Message)
Step = Message | Refuse | Wait


@dataclass
class Script:
    """`steps`: for each call of a method in turn, what it does. `asked`: the requests that came."""

    steps: dict[str, deque[Sequence[Step]]] = field(default_factory=dict)
    asked: list[Message] = field(default_factory=list)
    trailers: tuple[tuple[str, str], ...] = ()

    def on(self, method: str, *calls: Sequence[Step]) -> None:
        """What the next calls of a method do."""
        self.steps.setdefault(method, deque()).extend(calls)

    def requests(self, kind: type[M]) -> list[M]:
        """The requests of one kind, in order."""
        return [request for request in self.asked if isinstance(request, kind)]

    async def play(self, method: str, request: Message, context: Context) -> AsyncIterator[Message]:
        self.asked.append(request)
        if self.trailers:
            context.set_trailing_metadata(self.trailers)
        for step in self.steps[method].popleft():
            match step:
                case Refuse():
                    await refuse(context, step)
                case Wait():
                    await step.until()
                case _:
                    yield step


async def refuse(context: Context, step: Refuse) -> None:
    status = status_pb2.Status(code=step.code.value[0], message=step.message)
    for detail in step.details:
        status.details.add().Pack(detail)
    trailers = (("grpc-status-details-bin", status.SerializeToString()),) if step.details else ()
    await context.abort(step.code, step.message, trailers)


def reason(name: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=name, domain="sheetgrpc", metadata=metadata)


def retry_after(seconds: int) -> error_details_pb2.RetryInfo:
    return error_details_pb2.RetryInfo(retry_delay=Duration(seconds=seconds))


class Sessions(session_service_pb2_grpc.SessionServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    async def CreateSession(self, request: Message, context: Context) -> Message:
        return await anext(self.script.play("CreateSession", request, context))

    async def GetSession(self, request: Message, context: Context) -> Message:
        return await anext(self.script.play("GetSession", request, context))

    async def ListSessions(self, request: Message, context: Context) -> Message:
        return await anext(self.script.play("ListSessions", request, context))

    async def WatchSession(self, request: Message, context: Context) -> None:
        async for message in self.script.play("WatchSession", request, context):
            await context.write(message)

    async def ConfirmIntent(self, request: Message, context: Context) -> Message:
        return await anext(self.script.play("ConfirmIntent", request, context))


class Sheets(sheet_service_pb2_grpc.SheetServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    async def ListStatements(self, request: Message, context: Context) -> Message:
        return await anext(self.script.play("ListStatements", request, context))


class Executions(execution_service_pb2_grpc.ExecutionServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    async def ExecuteSheet(self, request: Message, context: Context) -> None:
        async for message in self.script.play("ExecuteSheet", request, context):
            await context.write(message)

    async def WatchExecution(self, request: Message, context: Context) -> None:
        async for message in self.script.play("WatchExecution", request, context):
            await context.write(message)


@asynccontextmanager
async def serving(script: Script, port: int = 0) -> AsyncIterator[str]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    session_service_pb2_grpc.add_SessionServiceServicer_to_server(Sessions(script), server)
    sheet_service_pb2_grpc.add_SheetServiceServicer_to_server(Sheets(script), server)
    execution_service_pb2_grpc.add_ExecutionServiceServicer_to_server(Executions(script), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        await server.stop(None)


@dataclass
class Naps:
    """A sleep that takes no time and remembers how long it would have taken."""

    taken: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.taken.append(seconds)

    def retry(self, **policy: float) -> Retry:
        return Retry(sleep=self.sleep, random=lambda: 1.0, **policy)  # type: ignore[arg-type]  # attempts is an int


__all__ = [
    "Naps",
    "Refuse",
    "Script",
    "Step",
    "Wait",
    "execution",
    "reason",
    "retry_after",
    "serving",
    "session",
    "sheet",
]

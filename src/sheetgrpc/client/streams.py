"""The stream of an execution, as one async iterator that outlives the connections it is read over.

A stream that breaks, falls silent or ends too early is opened again where it left off: ExecuteSheet with the same
request id until the execution is known, WatchExecution with the last resume token afterwards. A repeated `Snapshot`
says that updates in between may have been missed; it holds everything they added up to.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol, Self

import grpc

from sheetgrpc.client.calls import asked_for, closed
from sheetgrpc.client.errors import SheetgrpcError, Unavailable, read_error
from sheetgrpc.client.retry import Retry
from sheetgrpc.v1.execution_pb2 import Execution
from sheetgrpc.v1.execution_service_pb2 import (
    ExecuteSheetResponse,
    PhaseCompleted,
    PhaseStarted,
    StatementResults,
    WatchExecutionResponse,
)
from sheetgrpc.v1.progress_pb2 import Progress


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The execution as it is: the first update, and the first after a gap."""

    execution: Execution


@dataclass(frozen=True, slots=True)
class Finished:
    """The execution as it ended: the last update."""

    execution: Execution


Update = Snapshot | PhaseStarted | PhaseCompleted | StatementResults | Progress | Finished
Message = ExecuteSheetResponse | WatchExecutionResponse


class MessageCall(Protocol):
    """What is used of a grpc.aio.UnaryStreamCall."""

    async def read(self) -> object:
        """The next message, or something else at the end."""

    def cancel(self) -> bool:
        """End the call."""


class ExecutionStream(AsyncIterator[Update]):
    """Updates of one execution. Leaving it stops the watching, never the execution.

    Use it as `async with`, or read it to its end, so that the call below is closed.
    """

    def __init__(
        self,
        *,
        start: Callable[[], MessageCall] | None,
        resume: Callable[[str, str], MessageCall],
        retry: Retry,
        silence: float,
        execution_id: str = "",
        resume_token: str = "",
        request_id: str = "",
    ) -> None:
        """`start` submits and watches; `resume` watches an execution id from a token on; `silence` is in seconds."""
        self.execution_id = execution_id
        """Id of the execution; "" until the first update."""
        self.resume_token = resume_token
        """Where watching may go on after the last update, in another process too."""
        self.request_id = request_id
        """Request id that the execution was submitted with; "" where it is only watched."""
        self._start = start
        self._resume = resume
        self._retry = retry
        self._silence = silence
        self._call: MessageCall | None = None
        self._failures = 0
        self._ended = False  # `finished` was seen
        self._over = False

    async def __aenter__(self) -> Self:
        """The stream itself; nothing is sent before the first update is asked for."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Stop watching."""
        self._over = True
        self._drop()

    async def finished(self) -> Execution:
        """Read to the end and return the execution as it ended.

        Raises:
            SheetgrpcError: the server refused, or could not be reached again.
        """
        async for update in self:
            if isinstance(update, Finished):
                execution = update.execution
        return execution

    async def __anext__(self) -> Update:
        """The next update, however many connections it takes."""
        try:
            while not self._over:
                if self._ended:
                    await self._finish()
                    break
                update = _read_update(await self._receive())
                self._ended = isinstance(update, Finished)
                if update is not None:
                    return update
        except SheetgrpcError as error:
            error.request_id = self.request_id
            self.close()
            raise
        raise StopAsyncIteration

    async def _receive(self) -> Message:
        while True:
            try:
                return self._note(await self._read())
            except grpc.aio.AioRpcError as refusal:
                error = read_error(refusal, list(refusal.trailing_metadata() or ()))
            except TimeoutError:
                error = Unavailable(f"the stream was silent for {self._silence:g} seconds")
            except EOFError:
                error = Unavailable("the stream ended before the execution did")
            self._drop()
            self._failures += 1
            pause = self._retry.pause(error, self._failures)
            if pause is None:
                raise error
            await self._retry.sleep(pause)

    async def _read(self) -> Message:
        if self._call is None:
            self._call = self._open()
        try:
            async with asyncio.timeout(self._silence):
                message = await self._call.read()
        except asyncio.CancelledError:
            if asked_for():
                raise
            raise closed() from None
        if not isinstance(message, ExecuteSheetResponse | WatchExecutionResponse):
            raise EOFError  # noqa: TRY004  (read() answers the end with an object of its own)
        return message

    def _open(self) -> MessageCall:
        if self._start is not None and not self.execution_id:
            return self._start()
        return self._resume(self.execution_id, self.resume_token)

    def _note(self, message: Message) -> Message:
        self.resume_token = message.resume_token or self.resume_token
        if message.HasField("snapshot"):
            self.execution_id = message.snapshot.id
        if self._failures and not message.HasField("snapshot"):
            self._failures = (
                0  # a snapshot alone is no progress: a server that breaks after each would be asked for ever
            )
        return message

    async def _finish(self) -> None:
        """Read what follows `finished`: the end, or a refusal (a stale plan)."""
        try:
            await self._read()
        except (EOFError, TimeoutError):
            pass
        except grpc.aio.AioRpcError as refusal:
            error = read_error(refusal, list(refusal.trailing_metadata() or ()))
            if not isinstance(error, Unavailable):
                raise error from None
        self.close()

    def _drop(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None


def _read_update(message: Message) -> Update | None:
    match message.WhichOneof("update"):
        case "snapshot":
            return Snapshot(message.snapshot)
        case "phase_started":
            return message.phase_started
        case "phase_completed":
            return message.phase_completed
        case "statements":
            return message.statements
        case "progress":
            return message.progress
        case "finished":
            return Finished(message.finished)
        case _:  # a heartbeat, or an update of a newer server
            return None

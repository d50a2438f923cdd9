"""The one way of every call: admitted, read, answered by a coroutine of a servicer, refused in one place, logged once.

Built from the service descriptors instead of the generated registration, so that a declared RPC without a coroutine
fails at start, answers may be bytes already, and requests that cannot be read are refused like any other. Knows gRPC
and status.py; knows nothing of sessions or sheets.
"""

import asyncio
import inspect
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from sheetgrpc.clock import monotonic
from sheetgrpc.engine.aside import aside
from sheetgrpc.engine.deadlines import Deadlines
from sheetgrpc.engine.pace import Pace
from sheetgrpc.errors import Reason, SheetError, Unavailable, invalid_field, limit_exceeded
from sheetgrpc.server.identity import NOBODY, Identify, check_role, trust_all
from sheetgrpc.server.status import internal_error, refuse

WRITE_SECONDS = 30.0  # a stream whose reader takes nothing for so long is ended

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Method: TypeAlias = Callable[[Any, "Call"], Awaitable[Message | bytes | None]]  # Any: each takes its own request

_log = structlog.get_logger("sheetgrpc.rpc")


@dataclass(slots=True, eq=False)
class Call:
    """One call as a servicer's method sees it."""

    method: str
    context: Context
    size: int  # of the request, in bytes; 0 for a stream of them
    max_send_bytes: int
    streaming: bool
    task: "asyncio.Task[Any] | None"  # Any: gRPC's own task, whose result is nobody's
    writing: "Deadlines[Call]"  # the streams whose messages are on their way
    caller: str = ""  # who calls: what sessions belong to and request ids are scoped by; "" while that is not known
    roles: frozenset[str] = frozenset()
    request_id: str = ""
    cut: bool = False  # ended by a shutdown
    refusal: SheetError | None = None  # what it is about to end with, unless it is answered
    code: str = "CANCELLED"  # how it ended, for the log; what it is if nothing else was found
    trailers: list[tuple[str, str | bytes]] = field(default_factory=list)
    stalled: bool = False  # its reader takes nothing
    opening: "asyncio.Task[None] | None" = None  # the headers of a stream, on their way or sent

    def add_trailer(self, key: str, value: str) -> None:
        """Adds trailing metadata, sent with the answer or the refusal."""
        self.trailers.append((key, value))
        self.context.set_trailing_metadata(tuple(self.trailers))

    async def open(self) -> None:
        """Sends the headers of a stream; the first message does that too, where there is one at once.

        Whoever is cancelled meanwhile leaves them on their way: gRPC takes what it was not seen to send for unsent, and
        then cannot send the status either, so that the stream would never end. See `opened`.
        """
        if self.opening is None:
            self.opening = asyncio.ensure_future(self.context.send_initial_metadata(()))
            self.opening.add_done_callback(_see)
        await asyncio.shield(self.opening)

    async def opened(self) -> None:
        """Waits until headers on their way are sent. Raises what they met, where the connection is gone."""
        if self.opening is not None:
            await self.opening

    async def write(self, message: bytes) -> None:
        """Sends one message of a stream; LimitExceeded once the reader has taken nothing for WRITE_SECONDS."""
        self.writing.add(self, WRITE_SECONDS)
        try:
            if self.opening is None:
                await self.open()
            await self.context.write(message)
        except asyncio.CancelledError:
            if not self.stalled or self.task is None or self.task.uncancel():
                raise
            seconds = int(WRITE_SECONDS)
            raise limit_exceeded("seconds without reading the stream", limit=seconds, actual=seconds) from None
        finally:
            self.writing.drop(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rpc:
    """One RPC of a descriptor with what answers it."""

    service: str
    name: str
    request: type[Message] | None  # None: a stream of requests, which its method reads itself
    streaming: bool
    method: Method
    standing: bool


class Calls(grpc.GenericRpcHandler):
    """Every call of the server, from its first byte to its log line; the one handler that gRPC is given.

    One, and generic: gRPC asks its handlers one after the other, and for those that are registered by method, as
    generated code has them, grpc.aio keeps one waiter a method and goes through all of them twice a call (1.85; with
    our methods, a twelfth of a read).
    """

    def __init__(self, max_send_bytes: int, pace: Pace | None = None, identify: Identify = trust_all) -> None:
        """Calls with one answer go first in `pace`; `identify` tells who calls, of every service but a standing one."""
        self._max_send_bytes = max_send_bytes
        self._identify = identify
        self._pace = pace or Pace()
        self._handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}  # by path; Any: bytes or a stream of them
        self._open: set[Call] = set()
        self._writing: Deadlines[Call] = Deadlines(_break_off)
        self._draining = False

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """What answers a method: gRPC's question."""
        return self._handlers.get(handler_call_details.method)

    def add(self, service: ServiceDescriptor, servicer: object, *, standing: bool = False) -> None:
        """Has the servicer's coroutines (`CreateSession` is `create_session`) answer the service.

        A `standing` service is admitted during a shutdown too and ends its streams itself; it is logged at debug.
        Raises TypeError that names every RPC without a coroutine.
        """
        for rpc in _find_methods(service, servicer, standing=standing):
            self._handlers[f"/{rpc.service}/{rpc.name}"] = self._handler(rpc)

    def drain(self) -> None:
        """Refuses new calls and ends streams, both as SHUTTING_DOWN; unary calls under way go on."""
        self._draining = True
        for call in self._open:
            if call.streaming and call.task is not None and call.refusal is None and not call.cut:
                call.cut = True
                call.task.cancel()

    async def part(self, seconds: float) -> None:
        """Waits at most so long for the streams that `drain` has ended to be told so."""
        tasks = [call.task for call in self._open if call.cut and call.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def settle(self, seconds: float | None = None) -> None:
        """Waits until no call is open, at most so long: gRPC's own stop does not wait for handlers to end."""
        until = None if seconds is None else monotonic() + seconds
        while tasks := [call.task for call in self._open if call.task is not None]:
            left = None if until is None else until - monotonic()
            if left is not None and left <= 0:
                _log.warning("rpc.left", methods=sorted({call.method for call in self._open}))
                return
            await asyncio.wait(tasks, timeout=left)

    def _handler(self, rpc: _Rpc) -> "grpc.RpcMethodHandler[Any, Any]":  # Any: bytes or a stream of them
        # gRPC tells an asynchronous handler by its function: these must stay `async def` and nothing around them.
        async def answer(request: bytes, context: Context) -> bytes:
            with self._pace.first():
                return await self._take(rpc, request, context) or b""

        async def stream(request: bytes, context: Context) -> None:
            await self._take(rpc, request, context)

        if rpc.request is None:
            return grpc.stream_stream_rpc_method_handler(stream)
        if rpc.streaming:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(answer)

    async def _take(self, rpc: _Rpc, request: bytes, context: Context) -> bytes | None:
        call = Call(
            method=rpc.name,
            context=context,
            size=len(request) if rpc.request is not None else 0,
            max_send_bytes=self._max_send_bytes,
            streaming=rpc.streaming and not rpc.standing,
            task=asyncio.current_task(),
            writing=self._writing,
        )
        self._open.add(call)
        started = monotonic()
        try:
            answer = await self._judge(rpc, request, call)
            if call.refusal is not None:
                told = refuse(call.refusal)
                call.code = told.code.name
                await call.opened()
                await context.abort(told.code, told.message, (*call.trailers, told.trailer))
            call.code = "OK"
            return answer
        finally:
            self._open.discard(call)
            took = monotonic() - started
            if call.code == "OK":
                # The loop's next turn: the answer is on its way by then, and did not wait for its line.
                asyncio.get_running_loop().call_soon(_report, rpc, call, took)
            else:
                _report(rpc, call, took)

    async def _judge(self, rpc: _Rpc, request: bytes, call: Call) -> bytes | None:
        """The answer, or none and the call's refusal; raises where there is nobody to answer any more."""
        try:
            return await self._answer(rpc, request, call)
        except SheetError as error:
            call.refusal = error
        except asyncio.CancelledError as error:
            call.refusal = self._refuse_cancelled(rpc, call, error)
            if call.refusal is None:
                raise
        except grpc.aio.BaseError:  # the caller or the connection is gone, or the status is sent already
            raise
        except Exception as error:  # noqa: BLE001  # the one place that turns bugs into INTERNAL
            call.refusal = _hide(rpc, error)
        return None

    async def _answer(self, rpc: _Rpc, request: bytes, call: Call) -> bytes | None:
        if self._draining and not rpc.standing:
            raise _shutting_down()
        if not rpc.standing:
            # What was sent is not even looked at where it says nothing.
            trusting = self._identify is trust_all
            who = NOBODY if trusting else self._identify(list(call.context.invocation_metadata() or ()))
            call.caller, call.roles = who.name, who.roles
            check_role(rpc.name, who)
        answer = await rpc.method(await aside(call.size, _read, rpc.request, request), call)
        raw = answer.SerializeToString() if isinstance(answer, Message) else answer
        if raw is not None and len(raw) > self._max_send_bytes:
            raise limit_exceeded("bytes of a response", limit=self._max_send_bytes, actual=len(raw))
        return raw

    def _refuse_cancelled(self, rpc: _Rpc, call: Call, error: asyncio.CancelledError) -> SheetError | None:
        """What to answer a cancellation with; None where it is the caller who has gone."""
        task = asyncio.current_task()
        if call.cut and task is not None and task.uncancel() == 0:
            return _shutting_down()
        if task is None or task.cancelling():
            return None
        # Something that the method awaited was cancelled by somebody else. Left alone, gRPC would send no status at
        # all and the caller would wait for ever.
        return _shutting_down() if self._draining else _hide(rpc, error)


def _find_methods(service: ServiceDescriptor, servicer: object, *, standing: bool) -> Iterator[_Rpc]:
    # Any: each method takes its own request; that there is one is checked right here.
    methods: dict[str, Any] = {method.name: getattr(servicer, _snake(method.name), None) for method in service.methods}
    missing = [name for name, method in methods.items() if not inspect.iscoroutinefunction(method)]
    if missing:
        raise TypeError(f"{service.full_name} has no coroutine for {', '.join(sorted(missing))}")
    for descriptor in service.methods:
        yield _Rpc(
            service=service.full_name,
            name=descriptor.name,
            request=_request_class(descriptor),
            streaming=descriptor.server_streaming,
            method=methods[descriptor.name],
            standing=standing,
        )


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _request_class(descriptor: MethodDescriptor) -> type[Message] | None:
    return None if descriptor.client_streaming else GetMessageClass(descriptor.input_type)


def _read(kind: type[Message] | None, raw: bytes) -> Message | None:
    if kind is None:
        return None
    try:
        return kind.FromString(raw)
    except DecodeError:
        raise invalid_field("request", "cannot be read as this message; its encoding is damaged") from None


def _shutting_down() -> SheetError:
    return Unavailable(Reason.SHUTTING_DOWN, "the server is shutting down; retry the same request")


def _break_off(call: Call) -> None:
    """Ends a stream whose reader takes nothing."""
    call.stalled = True
    if call.task is not None:
        call.task.cancel()


def _see(task: "asyncio.Task[None]") -> None:
    """Takes what became of a task, which may be nobody's any more."""
    if not task.cancelled():
        task.exception()


def _hide(rpc: _Rpc, error: BaseException) -> SheetError:
    """A bug: what happened goes to the log, its id to the caller."""
    error_id = uuid.uuid4().hex
    _log.error("rpc.failed", rpc=f"{rpc.service}/{rpc.name}", error_id=error_id, exc_info=error)
    return internal_error(error_id)


def _report(rpc: _Rpc, call: Call, seconds: float) -> None:
    """The one log line of a call."""
    told: dict[str, object] = {"rpc": f"{rpc.service}/{rpc.name}", "code": call.code, "ms": round(seconds * 1000, 3)}
    if call.caller:
        told["caller"] = call.caller
    if call.request_id:
        told["request_id"] = call.request_id
    if call.refusal is not None:
        told["reason"] = call.refusal.reason.value
    if call.code == "INTERNAL":
        _log.error("rpc.finished", **told)
    elif rpc.standing:
        _log.debug("rpc.finished", **told)
    else:
        _log.info("rpc.finished", **told)

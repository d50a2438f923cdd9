"""The one way of every call, with servicers made to misbehave."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeAlias

import grpc
import pytest
import pytest_asyncio
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.rpc.serving import Refused, Running, read_refusal, refused

from sheetgrpc.errors import Conflict, Reason
from sheetgrpc.server import app, calls, health, reflection
from sheetgrpc.server.calls import Call, Calls

pytestmark = pytest.mark.asyncio(loop_scope="session")

Method: TypeAlias = Callable[[Any, Call], Coroutine[Any, Any, Any]]
SECRET = "secret=/var/lib/db"


class Misbehaving:
    """Health's three methods, each as the test wants it."""

    def __init__(self) -> None:
        self.does: Method | None = None

    async def check(self, request: Any, call: Call) -> Any:
        assert self.does is not None
        return await self.does(request, call)

    async def watch(self, request: Any, call: Call) -> None:
        await self.check(request, call)

    async def list(self, request: Any, call: Call) -> Any:
        return await self.check(request, call)


class Stage:
    """A server with a misbehaving servicer."""

    def __init__(self, servicer: Misbehaving, calls: Calls, channel: grpc.aio.Channel) -> None:
        self.servicer = servicer
        self.calls = calls
        self.channel = channel
        self.stub = health_pb2_grpc.HealthStub(channel)

    async def check(self, does: Method) -> Refused:
        self.servicer.does = does
        return await refused(self.stub.Check(health_pb2.HealthCheckRequest(), timeout=10))


@pytest_asyncio.fixture(loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    server = grpc.aio.server()
    servicer, calls = Misbehaving(), Calls(max_send_bytes=1000)
    calls.add(health.SERVICE, servicer)
    server.add_generic_rpc_handlers((calls,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Stage(servicer, calls, channel)
    await server.stop(0)
    await calls.settle()


async def test_every_declared_rpc_has_a_handler_that_is_a_coroutine_function(server: Running) -> None:
    # gRPC runs anything else in a thread pool.
    declared = {
        f"/{service.full_name}/{method.name}"
        for service in (*app.SERVICES, health.SERVICE, *reflection.SERVICES)
        for method in service.methods
    }
    handlers = server.server._calls._handlers
    assert set(handlers) == declared
    for handler in handlers.values():
        (function,) = filter(
            None, (getattr(handler, f"{asked}_{told}") for asked in ("unary", "stream") for told in ("unary", "stream"))
        )
        assert inspect.iscoroutinefunction(function)


async def test_a_service_without_all_its_coroutines_is_not_served() -> None:
    class Half:
        async def check(self, request: Any, call: Call) -> None: ...

        def watch(self, request: Any, call: Call) -> None: ...

    with pytest.raises(TypeError, match="List, Watch"):
        Calls(1000).add(health.SERVICE, Half())


@pytest.mark.parametrize(
    "error",
    [
        ValueError(SECRET),
        RuntimeError(SECRET),
        ExceptionGroup(SECRET, [OSError(SECRET)]),
        MemoryError(SECRET),
        TimeoutError(SECRET),
        StopAsyncIteration(SECRET),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_of_a_bug_the_caller_learns_an_id_and_the_log_the_rest(stage: Stage, error: Exception) -> None:
    async def fail(request: Any, call: Call) -> None:
        raise error

    with structlog.testing.capture_logs() as logs:
        refusal = await stage.check(fail)
        await stage.calls.settle()
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL_ERROR")
    assert SECRET not in repr(refusal)
    failed, finished = logs
    assert (failed["event"], failed["error_id"], failed["exc_info"]) == (
        "rpc.failed",
        refusal.metadata["errorId"],
        error,
    )
    assert (finished["event"], finished["code"], finished["log_level"]) == ("rpc.finished", "INTERNAL", "error")


async def test_a_cancellation_from_inside_is_answered_at_once(stage: Stage) -> None:
    # Let out, gRPC would send no status at all.
    async def await_cancelled(request: Any, call: Call) -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    refusal = await stage.check(await_cancelled)
    assert refusal.reason == "INTERNAL_ERROR"


async def test_a_caller_that_goes_away_cancels_its_method_and_is_no_error(stage: Stage) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def wait(request: Any, call: Call) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    stage.servicer.does = wait
    with structlog.testing.capture_logs() as logs:
        call = stage.stub.Check(health_pb2.HealthCheckRequest())
        await started.wait()
        call.cancel()
        await asyncio.wait_for(ended.wait(), 5)
        await stage.calls.settle()
    assert [(entry["event"], entry["code"], entry["log_level"]) for entry in logs] == [
        ("rpc.finished", "CANCELLED", "info")
    ]


async def test_a_refusal_carries_the_trailers_of_the_call(stage: Stage) -> None:
    async def conflict(request: Any, call: Call) -> None:
        call.add_trailer("sheetgrpc-test", "yes")
        raise Conflict(Reason.VERSION_CONFLICT, "other", metadata={"actualVersion": "2"})

    stage.servicer.does = conflict
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stage.stub.Check(health_pb2.HealthCheckRequest())
    refusal = read_refusal(error.value)
    assert (refusal.code, refusal.metadata) == (grpc.StatusCode.ABORTED, {"actualVersion": "2"})
    trailers = error.value.trailing_metadata()
    assert trailers is not None
    assert trailers["sheetgrpc-test"] == "yes"


async def test_a_stream_that_fails_in_its_middle_ends_with_the_refusal(stage: Stage) -> None:
    async def write_then_fail(request: Any, call: Call) -> None:
        await call.write(health_pb2.HealthCheckResponse(status=1).SerializeToString())
        raise Conflict(Reason.CONFLICT, "other")

    stage.servicer.does = write_then_fail
    stream = stage.stub.Watch(health_pb2.HealthCheckRequest())
    assert (await stream.read()).status == 1
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stream.read()
    assert read_refusal(error.value).reason == "CONFLICT"


async def test_a_request_that_cannot_be_read_is_refused_as_such(stage: Stage) -> None:
    damaged = stage.channel.unary_unary("/grpc.health.v1.Health/Check")
    refusal = await refused(damaged(b"\xff\xff"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert refusal.details["BadRequest"].field_violations[0].field == "request"


async def test_an_answer_too_large_to_send_is_refused_with_its_size(stage: Stage) -> None:
    async def answer(request: Any, call: Call) -> bytes:
        return bytes(1001)

    refusal = await stage.check(answer)
    assert refusal.reason == "LIMIT_EXCEEDED"
    assert (refusal.metadata["limit"], refusal.metadata["actual"]) == ("1000", "1001")


async def test_bytes_are_answered_as_they_are(stage: Stage) -> None:
    async def answer(request: Any, call: Call) -> bytes:
        return b"\x08\x01"

    stage.servicer.does = answer
    assert (await stage.stub.Check(health_pb2.HealthCheckRequest())).status == 1


async def test_a_drain_ends_streams_and_refuses_calls_but_lets_unary_calls_end(stage: Stage) -> None:
    started, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def answer(request: Any, call: Call) -> bytes | None:
        if call.streaming:
            try:
                await call.write(b"")
                await asyncio.Event().wait()
            finally:
                ended.set()
        started.set()
        await go_on.wait()
        return b"\x08\x02"

    stage.servicer.does = answer
    stream = stage.stub.Watch(health_pb2.HealthCheckRequest())
    await stream.read()
    unary = stage.stub.Check(health_pb2.HealthCheckRequest())
    await started.wait()
    stage.calls.drain()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stream.read()
    told = read_refusal(error.value)
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert "RetryInfo" in told.details
    assert ended.is_set()
    assert (await stage.check(answer)).reason == "SHUTTING_DOWN"
    go_on.set()
    assert (await unary).status == 2


@pytest.mark.parametrize("begin", [Call.open, lambda call: call.write(b"")], ids=["headers", "message"])
async def test_a_stream_is_told_of_a_drain_while_it_sends_the_first(
    stage: Stage, begin: Callable[[Call], Coroutine[Any, Any, None]]
) -> None:
    """gRPC does not know then that the headers are on their way."""

    async def answer(request: Any, call: Call) -> None:
        asyncio.get_running_loop().call_soon(stage.calls.drain)
        await begin(call)

    stage.servicer.does = answer
    with pytest.raises(grpc.aio.AioRpcError) as error:
        [_ async for _ in stage.stub.Watch(health_pb2.HealthCheckRequest(), timeout=10)]
    assert read_refusal(error.value).reason == "SHUTTING_DOWN"


class Flood:
    """A stream without end: `blocked` once its reader no longer keeps up, `ended` once it is over."""

    def __init__(self) -> None:
        self.blocked, self.ended = asyncio.Event(), asyncio.Event()

    async def write(self, request: Any, call: Call) -> None:
        # Each message empty for a reader, and large on the wire.
        message = b"\x12\x90\x4e" + bytes(10_000)
        try:
            while True:
                waiting = asyncio.get_running_loop().call_later(0.05, self.blocked.set)
                await call.write(message)
                waiting.cancel()
        finally:
            self.ended.set()


async def test_a_reader_that_goes_away_from_a_blocked_stream_ends_it_as_cancelled(stage: Stage) -> None:
    flood = Flood()
    stage.servicer.does = flood.write
    with structlog.testing.capture_logs() as logs:
        stream = stage.stub.Watch(health_pb2.HealthCheckRequest())
        await asyncio.wait_for(flood.blocked.wait(), 10)
        stream.cancel()
        await asyncio.wait_for(flood.ended.wait(), 5)
        await stage.calls.settle()
    assert [(entry["event"], entry["code"]) for entry in logs] == [("rpc.finished", "CANCELLED")]


async def test_a_reader_that_reads_nothing_loses_its_stream(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "WRITE_SECONDS", 0.1)
    flood = Flood()
    stage.servicer.does = flood.write
    stream = stage.stub.Watch(health_pb2.HealthCheckRequest())
    await asyncio.wait_for(flood.ended.wait(), 10)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        [_ async for _ in stream]
    assert read_refusal(error.value).reason == "LIMIT_EXCEEDED"


async def test_a_stream_whose_first_message_is_not_taken_is_told_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "WRITE_SECONDS", 0)

    async def answer(request: Any, call: Call) -> None:
        await call.write(b"")

    stage.servicer.does = answer
    with pytest.raises(grpc.aio.AioRpcError) as error:
        [_ async for _ in stage.stub.Watch(health_pb2.HealthCheckRequest(), timeout=10)]
    assert read_refusal(error.value).reason == "LIMIT_EXCEEDED"

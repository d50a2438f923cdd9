"""How a server ends, and how it does not begin."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.rpc.conftest import StartServer
from tests.rpc.serving import read_refusal, refused

from sheetgrpc.config import Settings, StartError
from sheetgrpc.engine.opening import open_engine
from sheetgrpc.server.app import Server
from sheetgrpc.v1.session_service_pb2 import CreateSessionRequest, GetSessionRequest
from sheetgrpc.v1.session_service_pb2_grpc import SessionServiceStub

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERVE = """
import asyncio, sys
from sheetgrpc.config import Settings, StartError
from sheetgrpc.server.app import serve
if __name__ == "__main__":
    settings = Settings(listen=sys.argv[1], database=sys.argv[2], drain_timeout=20.0)
    asyncio.run(serve(settings, lambda address: print("at", address, flush=True)))
"""


@asynccontextmanager
async def serve_apart(folder: Path, url: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    script = folder / "serving.py"
    script.write_text(SERVE, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        script,
        "127.0.0.1:0",
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().split()
        assert line[:1] == ["at"], (await process.communicate())[1].decode()
        yield process, line[1]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_drain_says_not_serving_refuses_calls_and_ends_watches(start_server: StartServer) -> None:
    server = await start_server()
    watch = server.health.Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    server.server.drain()
    refusal = await refused(server.sessions.GetSession(GetSessionRequest(session="x")))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert "RetryInfo" in refusal.details
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await watch.read()
    assert read_refusal(error.value).reason == "SHUTTING_DOWN"
    checked = await server.health.Check(health_pb2.HealthCheckRequest())
    assert checked.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_port_that_is_taken_is_told_as_such(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        server = Server(await open_engine(Settings(database=f"sqlite:///{tmp_path}/x.db", listen=listen)))
        try:
            with pytest.raises(StartError, match=f"cannot listen at {listen}: address already in use"):
                await server.start()
        finally:
            await server.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_process_in_order_and_open_streams_do_not_hold_it(
    tmp_path: Path, url: str, number: signal.Signals
) -> None:
    async with serve_apart(tmp_path, url) as (process, address), grpc.aio.insecure_channel(address) as channel:
        await SessionServiceStub(channel).CreateSession(CreateSessionRequest(name="kept", request_id="r-1"))
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        await watch.read()
        process.send_signal(number)
        _, errors = await asyncio.wait_for(process.communicate(), 10)
        assert process.returncode == 0, errors.decode()
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
    lines = [json.loads(line) for line in errors.decode().splitlines()]
    calls = [line for line in lines if line["event"] == "rpc.finished"]
    assert [(line["rpc"], line["code"], line["request_id"]) for line in calls] == [
        ("sheetgrpc.v1.SessionService/CreateSession", "OK", "r-1")
    ]
    assert calls[0]["ms"] > 0
    assert lines[-1]["event"] == "server.stopped"


async def test_a_shutdown_that_is_hurried_cuts_off_the_calls_it_waits_for(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await start_server()
    started = asyncio.Event()

    async def hang(_ref: str) -> None:
        started.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(server.engine, "get_session", hang)
    call = server.sessions.GetSession(GetSessionRequest(session="x"))
    await started.wait()
    stopping = asyncio.ensure_future(server.server.stop())
    done, _ = await asyncio.wait([stopping], timeout=0.2)
    assert not done
    await server.server.hurry()
    await asyncio.wait_for(stopping, 5)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_server_that_was_stopped_leaves_its_database_to_the_next(url: str) -> None:
    settings = Settings(database=url, listen="127.0.0.1:0")
    sessions = []
    for name in ("first", "second"):
        server = Server(await open_engine(settings))
        await server.start()
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = SessionServiceStub(channel)
            answer = await stub.CreateSession(CreateSessionRequest(request_id="same"))
            sessions.append((name, answer.session.id))
        await server.stop()
    assert sessions[0][1] == sessions[1][1]

"""The server put together: services, health, reflection, port; and its life from the first call to the last.

Order of a shutdown: health says NOT_SERVING, new calls are refused and streams ended, which are told why before gRPC
cuts anything off; calls under way and the run under way get `drain_timeout` to end together, then they are cut off, and
what waits for the database a few seconds later is broken off. A stream that ends ends no run.
"""

import asyncio
import contextlib
import gc
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor

from sheetgrpc.clock import monotonic
from sheetgrpc.config import Settings, StartError, redact
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.opening import open_engine
from sheetgrpc.server import health, reflection
from sheetgrpc.server.approval_service import ApprovalService
from sheetgrpc.server.calls import Calls
from sheetgrpc.server.catalog_service import CatalogService
from sheetgrpc.server.control_service import ControlService
from sheetgrpc.server.execution_service import ExecutionService
from sheetgrpc.server.health import Health
from sheetgrpc.server.identity import APPROVER, identify_by, trust_all
from sheetgrpc.server.logs import configure_logs
from sheetgrpc.server.reflection import Reflection
from sheetgrpc.server.session_service import SessionService
from sheetgrpc.server.sheet_service import SheetService
from sheetgrpc.server.task_service import TaskService
from sheetgrpc.server.token_watch import TokenWatch
from sheetgrpc.server.tokens import TokenFile
from sheetgrpc.v1 import (
    approval_service_pb2,
    catalog_service_pb2,
    control_service_pb2,
    execution_service_pb2,
    session_service_pb2,
    sheet_service_pb2,
    task_service_pb2,
)

try:
    import uvloop
except ImportError:  # an extra
    uvloop = None  # type: ignore[assignment]

_log = structlog.get_logger("sheetgrpc.server")

_FILES = (
    approval_service_pb2.DESCRIPTOR,
    catalog_service_pb2.DESCRIPTOR,
    control_service_pb2.DESCRIPTOR,
    execution_service_pb2.DESCRIPTOR,
    session_service_pb2.DESCRIPTOR,
    sheet_service_pb2.DESCRIPTOR,
    task_service_pb2.DESCRIPTOR,
)
SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    service for file in _FILES for service in file.services_by_name.values()
)


_PARTING_SECONDS = 0.2
"""What streams have to be told why they end, and cut calls to end, even where nothing is left of a stop's time."""
_SWITCH_SECONDS = 0.001  # how long the writer's thread may keep the loop from running; Python's own is five times that


def new_loop() -> asyncio.AbstractEventLoop:
    """The event loop of uvloop where that is installed, for it spares each call some 0.06 ms; else asyncio's own."""
    return asyncio.new_event_loop() if uvloop is None else uvloop.new_event_loop()


def run(settings: Settings, ready: Callable[[str], None] | None = None) -> None:
    """`serve`, on a loop of its own."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve(settings, ready))


async def serve(settings: Settings, ready: Callable[[str], None] | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then shuts down in order; a second signal does not wait for calls under way.

    `ready` is told the address once calls are accepted. Raises StartError where the server cannot start.
    """
    with contextlib.closing(configure_logs(settings.log_format)):
        tokens = open_tokens(settings)
        server = Server(await open_engine(settings), tokens)
        with _signals(server) as asked:
            try:
                await server.start()
                if ready is not None:
                    ready(server.address)
                await asked.wait()
            finally:
                await server.stop()


def open_tokens(settings: Settings) -> TokenWatch | None:
    """The callers that the settings name; None where nobody is identified. Raises StartError."""
    if not settings.tokens:
        return None

    def check(file: TokenFile) -> str:
        there = len(file.names(APPROVER))
        if not settings.approve or there >= settings.approvers:
            return ""
        return f"{settings.approvers} must approve, and {there} have the role {APPROVER}"

    return TokenWatch(settings.tokens, check)


class Server:
    """A gRPC server over an engine, from `start` to `stop`; it stops the engine too."""

    def __init__(self, engine: Engine, tokens: TokenWatch | None = None) -> None:
        """Without tokens every caller is anonymous."""
        self.address = ""
        self.tokens = tokens
        self._engine = engine
        self._settings = engine.settings
        identify = identify_by(tokens.find) if tokens is not None else trust_all
        self._calls = Calls(self._settings.max_send_bytes, engine.pace, identify)
        self._health = Health(
            (service.full_name for service in SERVICES),
            engine.store.check,
            every=self._settings.heartbeat_interval,
        )
        self._grpc: grpc.aio.Server | None = None
        self._until = float("inf")  # when a stop's time is over

    async def start(self) -> None:
        """Recovers, binds, accepts calls; `address` is where. Raises StartError if the address cannot be had."""
        await self._engine.start()
        self._grpc = grpc.aio.server(options=_options(self._settings))
        self._add_services(self._grpc)
        self.address = _bind(self._grpc, self._settings.listen)
        await self._grpc.start()
        if self.tokens is not None:
            self.tokens.start()
        self._health.serve()
        # What is here now stays: a full collection that walks it stalls the loop, once a large sheet has set one off.
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(_SWITCH_SECONDS)
        kept = self._engine.store.about.persistent
        _log.info(
            "server.started",
            address=self.address,
            database=redact(self._settings.database) if kept else "in memory",
            loop=type(asyncio.get_running_loop()).__module__.partition(".")[0],
        )

    def drain(self) -> None:
        """Takes no more calls: health says so, new ones are refused, streams end with SHUTTING_DOWN; no run begins."""
        self._health.stop()
        self._calls.drain()
        self._engine.drain()

    async def stop(self, grace: float | None = None) -> None:
        """Drains; gives calls and the run under way `grace` seconds (else the setting's) to end, then cuts them off."""
        self.drain()
        self._until = min(self._until, monotonic() + (self._settings.drain_timeout if grace is None else grace))
        try:
            if self._grpc is not None:
                await self._calls.part(_PARTING_SECONDS)
                await self._grpc.stop(self._left())
                await self._calls.settle(max(_PARTING_SECONDS, self._left()))
        finally:
            if self.tokens is not None:
                await self.tokens.stop()
            await self._engine.stop(self._left())
        _log.info("server.stopped")

    async def hurry(self) -> None:
        """Cuts off the calls and the run that a `stop` waits for, once streams are told."""
        self._until = monotonic()
        self.drain()
        self._engine.hurry()
        if self._grpc is not None:
            await self._calls.part(_PARTING_SECONDS)
            await self._grpc.stop(0)

    def _left(self) -> float:
        """Seconds of the stop's time."""
        return max(0.0, self._until - monotonic())

    def _add_services(self, server: grpc.aio.Server) -> None:
        engine, calls = self._engine, self._calls
        servicers = {
            "ApprovalService": ApprovalService(engine),
            "SessionService": SessionService(engine),
            "SheetService": SheetService(engine),
            "ExecutionService": ExecutionService(engine),
            "CatalogService": CatalogService(engine),
            "ControlService": ControlService(engine, authentication="tokens" if self.tokens is not None else "none"),
            "TaskService": TaskService(engine),
        }
        for service in SERVICES:
            calls.add(service, servicers[service.name])
        calls.add(health.SERVICE, self._health, standing=True)
        listed = Reflection(one.full_name for one in (*SERVICES, health.SERVICE, *reflection.SERVICES))
        for service in reflection.SERVICES:
            calls.add(service, listed)
        server.add_generic_rpc_handlers((calls,))


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # else a second server silently shares the port
        # Calls that arrive in a burst wait; by default they are dropped as CANCELLED from about 1,000 on.
        ("grpc.server.max_pending_requests", 100_000),
        ("grpc.server.max_pending_requests_hard_limit", 100_000),
        ("grpc.max_receive_message_length", settings.max_receive_bytes),
        ("grpc.max_send_message_length", settings.max_send_bytes),
        ("grpc.max_concurrent_streams", 1000),
        ("grpc.keepalive_time_ms", 30_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.ping_timeout_ms", 10_000),  # without it a frozen peer takes a minute to be noticed
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.max_connection_age_ms", 30 * 60_000),  # the backstop for streams whose reader stopped reading
        ("grpc.max_connection_age_grace_ms", 60_000),
        ("grpc.max_connection_idle_ms", 5 * 60_000),
    ]


def _bind(server: grpc.aio.Server, listen: str) -> str:
    """Takes the port; answers the address with the port that was taken."""
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise StartError(f"cannot listen at {listen}: {_why(listen)}; choose another with --listen") from error
    return re.sub(r"\d+$", str(port), listen)


def _why(listen: str) -> str:
    """Why an address cannot be had. gRPC keeps that to itself, so a plain socket is asked."""
    host, _, port = listen.rpartition(":")
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM
        ):
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(address)
    except OSError as error:
        return (error.strerror or "no such address").lower()
    return "it was taken a moment ago"


@contextlib.contextmanager
def _signals(server: Server) -> Iterator[asyncio.Event]:
    """The event that SIGTERM and SIGINT set; the second of them hurries the shutdown. SIGHUP reads the tokens again."""
    asked = asyncio.Event()
    hurrying: list[asyncio.Task[None]] = []  # kept, or they would be collected

    def ask() -> None:
        if asked.is_set():
            hurrying.append(loop.create_task(server.hurry()))
        asked.set()

    loop = asyncio.get_running_loop()
    wanted: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
    for one in wanted:
        loop.add_signal_handler(one, ask)
    if server.tokens is not None:
        loop.add_signal_handler(signal.SIGHUP, server.tokens.hurry)
        wanted = (*wanted, signal.SIGHUP)
    try:
        yield asked
    finally:
        for one in wanted:
            loop.remove_signal_handler(one)

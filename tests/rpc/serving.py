"""A real server on a port of its own, and what tests ask of it. No test talks to a servicer but through gRPC."""

import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2_grpc
from grpc_status import rpc_status

from sheetgrpc.config import Settings
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.opening import open_engine
from sheetgrpc.server.app import Server
from sheetgrpc.v1 import (
    catalog_service_pb2_grpc,
    control_service_pb2_grpc,
    execution_service_pb2_grpc,
    session_service_pb2_grpc,
    sheet_service_pb2_grpc,
)

KEY = re.compile(r"[a-z]+([A-Z][a-z]+)*")  # of an ErrorInfo's metadata: AIP-193
DETAILS = {
    kind.DESCRIPTOR.full_name: kind
    for kind in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.PreconditionFailure,
        error_details_pb2.ResourceInfo,
        error_details_pb2.RetryInfo,
        error_details_pb2.QuotaFailure,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A refusal as a client reads it: `details` by the short name of their messages."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    details: dict[str, Any]


class Running:
    """A server that accepts calls, and stubs for it."""

    def __init__(self, server: Server, engine: Engine, channel: grpc.aio.Channel) -> None:
        self.server = server
        self.engine = engine
        self.channel = channel
        self.sessions = session_service_pb2_grpc.SessionServiceStub(channel)
        self.sheets = sheet_service_pb2_grpc.SheetServiceStub(channel)
        self.executions = execution_service_pb2_grpc.ExecutionServiceStub(channel)
        self.catalog = catalog_service_pb2_grpc.CatalogServiceStub(channel)
        self.control = control_service_pb2_grpc.ControlServiceStub(channel)
        self.health = health_pb2_grpc.HealthStub(channel)


@asynccontextmanager
async def run_server(url: str, **settings: Any) -> AsyncIterator[Running]:
    """A server on the database at the URL."""
    wanted = Settings(database=url, listen="127.0.0.1:0", **settings)
    engine = await open_engine(wanted)
    server = Server(engine)
    try:
        await server.start()
        async with grpc.aio.insecure_channel(server.address) as channel:
            yield Running(server, engine, channel)
    finally:
        await server.stop(0)


async def refused(call: Awaitable[Message]) -> Refused:
    """The refusal that a call ends with; fails unless it has exactly one ErrorInfo of ours."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return read_refusal(error)
    raise AssertionError(f"accepted: {answer}")


def read_refusal(error: grpc.aio.AioRpcError) -> Refused:
    status = rpc_status.from_call(error)
    assert status is not None, f"no details: {error.code()} {error.details()}"
    assert len(status.SerializeToString()) <= 4096
    details = {}
    for packed in status.details:
        detail = DETAILS[packed.TypeName()]()
        assert packed.Unpack(detail)
        assert detail.DESCRIPTOR.name not in details
        details[detail.DESCRIPTOR.name] = detail
    info = details["ErrorInfo"]
    assert info.domain == "sheetgrpc"
    assert all(KEY.fullmatch(key) for key in info.metadata), info.metadata
    return Refused(
        code=error.code(),
        message=error.details() or "",
        reason=info.reason,
        metadata=dict(info.metadata),
        details=details,
    )

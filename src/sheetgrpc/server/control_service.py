"""ControlService: what runs here, within which limits, and the queue in an operator's hands."""

import platform
from collections.abc import Callable
from importlib.metadata import version

import grpc
from google.protobuf.message import Message

from sheetgrpc.clock import wall_clock
from sheetgrpc.config import PAGE_LIMIT, Settings
from sheetgrpc.engine.engine import Engine
from sheetgrpc.engine.intents import Envelope
from sheetgrpc.server.calls import Call
from sheetgrpc.server.commands import read_envelope, tell_reply
from sheetgrpc.server.convert.executions import write_trusted_module
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.convert.queue import write_queue, write_stats
from sheetgrpc.server.convert.requests import read_pause_queue
from sheetgrpc.server.convert.values import write_duration, write_time
from sheetgrpc.store.queue import QueueMode, QueueRow
from sheetgrpc.v1 import control_service_pb2 as pb


class ControlService:
    """The server itself, and its queue."""

    def __init__(self, engine: Engine, *, authentication: str) -> None:
        self._engine = engine
        about = engine.store.about
        self._info = pb.ServerInfo(
            version=version("sheetgrpc"),
            python_version=platform.python_version(),
            grpc_version=grpc.__version__,
            database=about.kind,
            database_version=about.version,
            schema_version=about.schema_version,
            catalog_digest=engine.catalog.digest,
            incarnation=about.incarnation,
            start_time=write_time(wall_clock()),
            limits=_write_limits(engine.settings),
            persistent=about.persistent,
            replica=engine.replica,
            trusted_modules=map(write_trusted_module, engine.trusted_modules),
            authentication=authentication,
        )

    async def ping(self, _request: pb.PingRequest, _call: Call) -> pb.PingResponse:
        """Answers."""
        return pb.PingResponse(time=write_time(wall_clock()))

    async def get_server_info(self, _request: pb.GetServerInfoRequest, _call: Call) -> pb.GetServerInfoResponse:
        """Gets what runs here."""
        answer = pb.GetServerInfoResponse(server_info=self._info)
        answer.server_info.queue_paused = (await self._engine.store.queue()).mode is not QueueMode.RUNNING
        return answer

    async def get_queue_stats(self, _request: pb.GetQueueStatsRequest, _call: Call) -> pb.GetQueueStatsResponse:
        """Counts the executions."""
        stats = await self._engine.queue.stats()
        limits = {"max_running": self._engine.slots, "max_queued": self._engine.settings.max_queued}
        return pb.GetQueueStatsResponse(queue_stats=write_stats(stats, **limits))

    async def pause_queue(self, request: pb.PauseQueueRequest, call: Call) -> bytes:
        """Pauses the queue."""
        form = Form()
        mode, module = read_pause_queue(form, request), form.name("module", request.module, required=False)
        envelope = await read_envelope(form, call, request)
        return await self._change(
            call, envelope, mode, module, lambda queue: pb.PauseQueueResponse(queue=write_queue(queue))
        )

    async def resume_queue(self, request: pb.ResumeQueueRequest, call: Call) -> bytes:
        """Lets the queue run."""
        form = Form()
        module = form.name("module", request.module, required=False)
        envelope = await read_envelope(form, call, request)
        return await self._change(
            call, envelope, QueueMode.RUNNING, module, lambda queue: pb.ResumeQueueResponse(queue=write_queue(queue))
        )

    async def _change(
        self, call: Call, envelope: Envelope, mode: QueueMode, module: str, write: Callable[[QueueRow], Message]
    ) -> bytes:
        reply = await self._engine.queue.change(envelope, mode, lambda queue: write(queue).SerializeToString(), module)
        tell_reply(call, reply)
        return reply.body


def _write_limits(settings: Settings) -> pb.Limits:
    return pb.Limits(
        max_received_bytes=settings.max_receive_bytes,
        max_sent_bytes=settings.max_send_bytes,
        max_source_bytes=settings.max_source_bytes,
        max_statements=settings.max_statements,
        max_scope_entities=settings.max_scope_entities,
        max_nesting=settings.max_nesting,
        max_arguments=settings.max_arguments,
        max_page_size=PAGE_LIMIT,
        request_id_retention=write_duration(settings.request_id_ttl_us),
        session_retention=write_duration(settings.retention_us),
    )

"""ControlService: what runs here, and within which limits."""

import platform
from importlib.metadata import version

import grpc

from sheetgrpc.clock import wall_clock
from sheetgrpc.config import PAGE_LIMIT, Settings
from sheetgrpc.engine.engine import Engine
from sheetgrpc.server.calls import Call
from sheetgrpc.server.convert.values import write_duration, write_time
from sheetgrpc.v1 import control_service_pb2 as pb


class ControlService:
    """The server itself. Answers the same as long as it lives."""

    def __init__(self, engine: Engine) -> None:
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
        )

    async def get_server_info(self, _request: pb.GetServerInfoRequest, _call: Call) -> pb.GetServerInfoResponse:
        """Gets what runs here."""
        return pb.GetServerInfoResponse(server_info=self._info)


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

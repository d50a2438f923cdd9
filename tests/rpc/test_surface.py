"""What is found without knowing anything: health, reflection, the server's own word on itself."""

import contextlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from tests.rpc.serving import Running

from sheetgrpc.config import Settings
from sheetgrpc.server import app
from sheetgrpc.v1 import catalog_service_pb2, control_service_pb2

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERVICES = [service.full_name for service in app.SERVICES]
STANDARD = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
VERSIONS = ["v1", "v1alpha"]


class Reflected:
    """A client of one version of reflection."""

    def __init__(self, channel: grpc.aio.Channel, version: str) -> None:
        self._call = channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )

    async def ask(self, **request: Any) -> Any:
        call = self._call()
        await call.write(reflection_pb2.ServerReflectionRequest(**request))
        answer = await call.read()
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        return answer

    async def services(self) -> list[str]:
        answer = await self.ask(list_services="")
        return [service.name for service in answer.list_services_response.service]

    async def pool(self) -> descriptor_pool.DescriptorPool:
        """Everything that reflection tells, and nothing else."""
        files = {}
        for service in await self.services():
            answer = await self.ask(file_containing_symbol=service)
            for raw in answer.file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(raw)
                files[file.name] = file
        pool = descriptor_pool.DescriptorPool()
        for file in in_order(files):
            pool.Add(file)
        return pool


def in_order(files: dict[str, descriptor_pb2.FileDescriptorProto]) -> Iterator[descriptor_pb2.FileDescriptorProto]:
    while files:
        name = next(name for name, file in files.items() if not set(file.dependency) & set(files))
        yield files.pop(name)


@pytest.mark.parametrize("version", VERSIONS)
async def test_reflection_lists_every_service(server: Running, version: str) -> None:
    assert await Reflected(server.channel, version).services() == sorted(SERVICES + STANDARD)


@pytest.mark.parametrize("version", VERSIONS)
async def test_nothing_that_reflection_describes_is_unimplemented(server: Running, version: str) -> None:
    reflected = Reflected(server.channel, version)
    pool = await reflected.pool()
    called = 0
    for service in await reflected.services():
        for method in pool.FindServiceByName(service).methods:
            call = server.channel.stream_stream(f"/{service}/{method.name}")(timeout=10)
            await call.write(b"")
            await call.done_writing()
            with contextlib.suppress(grpc.aio.AioRpcError):
                assert isinstance(await call.read(), bytes), method.full_name
            if f"{service}/{method.name}" == "grpc.health.v1.Health/Watch":
                call.cancel()
            else:
                assert await call.code() is not grpc.StatusCode.UNIMPLEMENTED, method.full_name
            called += 1
    assert called == sum(len(service.methods) for service in app.SERVICES) + 5


@pytest.mark.parametrize("version", VERSIONS)
async def test_reflection_finds_files_symbols_and_what_is_not_there(server: Running, version: str) -> None:
    reflected = Reflected(server.channel, version)
    for request in (
        {"file_by_filename": "sheetgrpc/v1/session_service.proto"},
        {"file_containing_symbol": "sheetgrpc.v1.SessionService.CreateSession"},
        {"file_containing_symbol": "sheetgrpc.v1.CreateSessionRequest"},
    ):
        answer = await reflected.ask(host="h", **request)
        first = descriptor_pb2.FileDescriptorProto.FromString(answer.file_descriptor_response.file_descriptor_proto[0])
        assert first.name == "sheetgrpc/v1/session_service.proto"
        assert (answer.valid_host, answer.original_request.host) == ("h", "h")
    for request in (
        {"file_by_filename": "nothing.proto"},
        {"file_containing_symbol": "sheetgrpc.v1.Nothing"},
        {"file_containing_symbol": "sheetgrpc.v1.SessionService.Nothing"},
        {"all_extension_numbers_of_type": "nothing"},
        {"file_containing_extension": {"containing_type": "sheetgrpc.v1.Session", "extension_number": 1}},
    ):
        answer = await reflected.ask(**request)
        assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
    numbers = await reflected.ask(all_extension_numbers_of_type="sheetgrpc.v1.Session")
    assert list(numbers.all_extension_numbers_response.extension_number) == []
    nothing = await reflected.ask()
    assert nothing.error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


async def test_both_versions_of_reflection_describe_themselves_alike(server: Running) -> None:
    pool = await Reflected(server.channel, "v1").pool()
    one, other = (
        pool.FindMessageTypeByName(f"grpc.reflection.{version}.ServerReflectionResponse") for version in VERSIONS
    )
    assert [(field.name, field.number, field.type) for field in one.fields] == [
        (field.name, field.number, field.type) for field in other.fields
    ]


@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_health_of_the_server_and_of_each_service(server: Running, service: str) -> None:
    answer = await server.health.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watch = server.health.Watch(health_pb2.HealthCheckRequest(service=service))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()


async def test_health_of_what_is_not_there(server: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await server.health.Check(health_pb2.HealthCheckRequest(service="nothing"))
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    watch = server.health.Watch(health_pb2.HealthCheckRequest(service="nothing"))
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


async def test_health_lists_every_service(server: Running) -> None:
    answer = await server.health.List(health_pb2.HealthListRequest())
    serving = health_pb2.HealthCheckResponse.SERVING
    assert {name: one.status for name, one in answer.statuses.items()} == dict.fromkeys(["", *SERVICES], serving)


async def test_the_server_tells_what_it_is_and_its_limits(server: Running) -> None:
    request = control_service_pb2.GetServerInfoRequest()
    info = (await server.control.GetServerInfo(request)).server_info
    assert info == (await server.control.GetServerInfo(request)).server_info
    kind = urlsplit(server.engine.settings.database).scheme
    assert (info.database, info.schema_version > 0, info.incarnation != "") == (kind, True, True)
    assert info.grpc_version == grpc.__version__
    limits, settings = info.limits, Settings()
    assert (limits.max_received_bytes, limits.max_sent_bytes) == (64 * 1024**2, 4 * 1024**2)
    assert (limits.max_statements, limits.max_source_bytes) == (settings.max_statements, settings.max_source_bytes)
    assert (limits.max_page_size, limits.request_id_retention.seconds) == (1000, 86_400)
    catalog = (await server.catalog.GetCatalog(catalog_service_pb2.GetCatalogRequest())).catalog
    assert catalog.digest == info.catalog_digest


async def test_verbs_are_listed_by_name_with_what_they_take(server: Running) -> None:
    names: list[str] = []
    token = ""
    while True:
        page = await server.catalog.ListVerbs(catalog_service_pb2.ListVerbsRequest(page_size=7, page_token=token))
        names.extend(verb.name for verb in page.verbs)
        if not (token := page.next_page_token):
            break
    assert names == sorted(server.engine.catalog.verbs)
    catalog = (await server.catalog.GetCatalog(catalog_service_pb2.GetCatalogRequest())).catalog
    assert len(names) == catalog.verb_count
    assert {"cbu", "entity"} <= {entity.name for entity in catalog.entity_types}
    verbs = await server.catalog.ListVerbs(catalog_service_pb2.ListVerbsRequest(page_size=1000))
    ensure = next(verb for verb in verbs.verbs if verb.name == "cbu.ensure")
    assert (ensure.kind, ensure.entity_type, ensure.table, ensure.binds) == ("ensure", "cbu", "cbus", True)
    arguments = {argument.name: argument for argument in ensure.arguments}
    assert (arguments["name"].required, arguments["name"].max_length) == (True, 200)
    assert (arguments["client-type"].default_value, list(arguments["client-type"].aliases)) == ('"FUND"', ["type"])
    assert not arguments["name"].HasField("default_value")

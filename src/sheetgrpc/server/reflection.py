"""Server reflection, v1 and v1alpha: what grpcurl and buf ask before they call anything.

The library has v1alpha alone. Both versions have the same messages number by number, so one servicer answers both; the
descriptor of v1 is made from v1alpha's and kept in a pool of its own, lest it meet another copy in the process's.
"""

from collections.abc import Callable, Iterable, Mapping

import grpc
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import Default, DescriptorPool
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection_pb2 as pb

from sheetgrpc.server.calls import Call

_FILE_V1 = "grpc/reflection/v1/reflection.proto"
_PACKAGE_V1ALPHA = "grpc.reflection.v1alpha"
_PACKAGE_V1 = "grpc.reflection.v1"


def _make_v1() -> DescriptorPool:
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    file.name, file.package = _FILE_V1, _PACKAGE_V1
    file.ClearField("options")
    for message in file.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(_PACKAGE_V1ALPHA, _PACKAGE_V1)
    for method in file.service[0].method:
        method.input_type = method.input_type.replace(_PACKAGE_V1ALPHA, _PACKAGE_V1)
        method.output_type = method.output_type.replace(_PACKAGE_V1ALPHA, _PACKAGE_V1)
    pool = DescriptorPool()
    pool.Add(file)
    return pool


_POOLS = (_make_v1(), Default())
SERVICES: tuple[ServiceDescriptor, ...] = (
    _POOLS[0].FindServiceByName(f"{_PACKAGE_V1}.ServerReflection"),
    pb.DESCRIPTOR.services_by_name["ServerReflection"],
)


class Reflection:
    """Answers what services there are, and with the files that describe them."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = sorted(services)
        self._answers: Mapping[str, Callable[[pb.ServerReflectionRequest], pb.ServerReflectionResponse]] = {
            "list_services": self._list_services,
            "file_by_filename": _file_by_filename,
            "file_containing_symbol": _file_containing_symbol,
            "file_containing_extension": _file_containing_extension,
            "all_extension_numbers_of_type": _all_extension_numbers,
        }

    async def server_reflection_info(self, _request: None, call: Call) -> None:
        """Answers requests one by one until the caller has no more."""
        while isinstance(raw := await call.context.read(), bytes):  # or grpc.aio.EOF
            await call.write(self._answer(raw).SerializeToString())

    def _answer(self, raw: bytes) -> pb.ServerReflectionResponse:
        try:
            request = pb.ServerReflectionRequest.FromString(raw)
        except DecodeError:
            return _error(grpc.StatusCode.INVALID_ARGUMENT, "cannot be read as this message")
        answer = self._answers.get(request.WhichOneof("message_request") or "")
        try:
            response = answer(request) if answer else _error(grpc.StatusCode.INVALID_ARGUMENT, "asks for nothing")
        except KeyError:
            response = _error(grpc.StatusCode.NOT_FOUND, "there is no such name")
        response.valid_host = request.host
        response.original_request.CopyFrom(request)
        return response

    def _list_services(self, _request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
        services = [pb.ServiceResponse(name=name) for name in self._services]
        return pb.ServerReflectionResponse(list_services_response=pb.ListServiceResponse(service=services))


def _file_by_filename(request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
    return _files(_find(lambda pool: pool.FindFileByName(request.file_by_filename)))


def _file_containing_symbol(request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
    return _files(_find(lambda pool: _look_up_symbol(pool, request.file_containing_symbol)))


def _look_up_symbol(pool: DescriptorPool, symbol: str) -> FileDescriptor:
    try:
        return pool.FindFileContainingSymbol(symbol)
    except KeyError:  # pools do not know methods by their names
        service, _, method = symbol.rpartition(".")
        found: FileDescriptor = pool.FindServiceByName(service).methods_by_name[method].containing_service.file
        return found


def _file_containing_extension(request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
    wanted = request.file_containing_extension
    pool = Default()
    extended = pool.FindMessageTypeByName(wanted.containing_type)
    extension = pool.FindExtensionByNumber(extended, wanted.extension_number)
    return _files(pool.FindFileContainingSymbol(extension.full_name))


def _all_extension_numbers(request: pb.ServerReflectionRequest) -> pb.ServerReflectionResponse:
    pool = Default()
    extended = pool.FindMessageTypeByName(request.all_extension_numbers_of_type)
    numbers = sorted(extension.number for extension in pool.FindAllExtensions(extended))
    found = pb.ExtensionNumberResponse(base_type_name=extended.full_name, extension_number=numbers)
    return pb.ServerReflectionResponse(all_extension_numbers_response=found)


def _find(look: Callable[[DescriptorPool], FileDescriptor]) -> FileDescriptor:
    """What the first pool that knows it has; KeyError where none does."""
    for pool in _POOLS[:-1]:
        try:
            return look(pool)
        except KeyError:
            continue
    return look(_POOLS[-1])


def _files(file: FileDescriptor) -> pb.ServerReflectionResponse:
    """A file and all that it imports, itself first."""
    found: dict[str, bytes] = {}
    waiting = [file]
    while waiting:
        one = waiting.pop()
        if one.name not in found:
            found[one.name] = one.serialized_pb
            waiting.extend(one.dependencies)
    files = pb.FileDescriptorResponse(file_descriptor_proto=found.values())
    return pb.ServerReflectionResponse(file_descriptor_response=files)


def _error(code: grpc.StatusCode, message: str) -> pb.ServerReflectionResponse:
    return pb.ServerReflectionResponse(error_response=pb.ErrorResponse(error_code=code.value[0], error_message=message))

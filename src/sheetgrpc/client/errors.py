"""Every error the SDK raises, as one tree, read from the rich status of a call.

    SheetgrpcError
    |-- InvalidRequest      the request itself is wrong; the same request never succeeds
    |-- NotFound            the thing named is not there
    |-- AlreadyExists       the name asked for is taken
    |-- NotAllowed          right request, wrong state (or wrong caller); act first, then ask again
    |-- Conflict            somebody else was first; read again, then retry
    |-- LimitExceeded       too many, too large, too busy for more; `retry_after` tells whether waiting helps
    |-- Unavailable         the server cannot be reached or cannot answer now; the SDK has retried already
    |-- DeadlineExceeded    no answer in time; whether it took effect is told by a repeat with `request_id`
    `-- ServerFault         a fault of the server, or an answer that is none of the above

The class stands for the status code. Branch on `reason`: a name of sheetgrpc.v1.ErrorReason without its prefix, or ""
where the refusal is not the service's own (a proxy's, the library's).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "sheetgrpc"
DETAILS_KEY = "grpc-status-details-bin"

Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field of the request: its path as in the proto, and what is wrong with it."""

    field: str
    description: str


class SheetgrpcError(Exception):
    """A call that came to nothing: why, for programs (`reason`, `metadata`) and for people (`message`)."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        retry_after: float | None = None,
    ) -> None:
        """`retry_after` is in seconds, None where the server gave no advice."""
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.request_id = ""
        """Request id of the command that came to this; "" for reads. A repeat with it is safe."""

    def __str__(self) -> str:
        """The sentence for people, with the reason in brackets where there is one."""
        return f"{self.message} [{self.reason}]" if self.reason else self.message


class InvalidRequest(SheetgrpcError):
    """The request is wrong in itself."""


class NotFound(SheetgrpcError):
    """The thing named is not there, or is not the caller's."""


class AlreadyExists(SheetgrpcError):
    """The name asked for is taken."""


class NotAllowed(SheetgrpcError):
    """The request is right; the state, or the caller, is not."""


class Conflict(SheetgrpcError):
    """Another command was first."""


class LimitExceeded(SheetgrpcError):
    """A limit was reached; of the service's own, metadata has `limit` and `actual`."""


class Unavailable(SheetgrpcError):
    """The server cannot be reached, or cannot answer now."""


class DeadlineExceeded(SheetgrpcError):
    """No answer came in time."""


class ServerFault(SheetgrpcError):
    """The server, or something between, is at fault."""


# CANCELLED is what grpc answers for a call that the server never took up; a caller's own cancel is CancelledError.
_CLASSES: Mapping[grpc.StatusCode, type[SheetgrpcError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: NotAllowed,
    grpc.StatusCode.PERMISSION_DENIED: NotAllowed,
    grpc.StatusCode.UNAUTHENTICATED: NotAllowed,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.RESOURCE_EXHAUSTED: LimitExceeded,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}


class FailedCall(Protocol):
    """What is read of a grpc.aio.AioRpcError."""

    def code(self) -> grpc.StatusCode:
        """The status code."""

    def details(self) -> str | None:
        """The message."""


def read_error(call: FailedCall, trailers: Metadata) -> SheetgrpcError:
    """The error that a failed call stands for; damaged details are left out, never raised."""
    found = _Details()
    for detail in _read_details(trailers):
        found.take(detail)
    return _CLASSES.get(call.code(), ServerFault)(
        call.details() or call.code().name.lower().replace("_", " "),
        reason=found.reason,
        code=call.code(),
        metadata=found.metadata,
        violations=found.violations,
        retry_after=found.retry_after,
    )


class _Details:
    def __init__(self) -> None:
        self.reason = ""
        self.metadata: dict[str, str] = {}
        self.violations: list[FieldViolation] = []
        self.retry_after: float | None = None

    def take(self, detail: object) -> None:
        match detail:
            case error_details_pb2.ErrorInfo() if detail.domain == DOMAIN:
                self.reason, self.metadata = detail.reason, dict(detail.metadata)
            case error_details_pb2.BadRequest():
                self.violations += [FieldViolation(one.field, one.description) for one in detail.field_violations]
            case error_details_pb2.RetryInfo():
                self.retry_after = detail.retry_delay.seconds + detail.retry_delay.nanos / 1e9
            case _:
                pass


_KINDS = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)


def _read_details(trailers: Metadata) -> Iterator[object]:
    for key, value in trailers:
        if key != DETAILS_KEY or isinstance(value, str):
            continue
        try:
            for packed in status_pb2.Status.FromString(value).details:
                yield from (kind.FromString(packed.value) for kind in _KINDS if packed.Is(kind.DESCRIPTOR))
        except DecodeError:
            return

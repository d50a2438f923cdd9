"""The one table from our refusals to gRPC: a code a reason, and the google.rpc.Status that goes with it.

Knows errors.py and the wire's error details, nothing of requests or of how calls are answered. A Status stays below
what clients accept as trailing metadata by default: beyond it they lose the code as well.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from sheetgrpc.errors import FieldViolation, Reason, SheetError

DOMAIN = "sheetgrpc"
DETAILS_KEY = "grpc-status-details-bin"
MAX_STATUS_BYTES = 4096
MAX_MESSAGE_BYTES = 512

CODES: Mapping[Reason, grpc.StatusCode] = {
    Reason.INVALID_FIELD: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.INVALID_TEMPLATE: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.REQUEST_ID_REUSED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.SESSION_AMBIGUOUS: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.CONFIRMATION_REQUIRED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.LABEL_RESERVED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.SESSION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.SHEET_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.EXECUTION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.REFERENCE_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.ENTITY_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.LABEL_TAKEN: grpc.StatusCode.ALREADY_EXISTS,
    Reason.ACTION_NOT_ALLOWED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.SESSION_CLOSED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.SESSION_EXPIRED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.SHEET_ALREADY_APPLIED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.EMPTY_SCOPE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.VERSION_CONFLICT: grpc.StatusCode.ABORTED,
    Reason.CONFLICT: grpc.StatusCode.ABORTED,
    Reason.LIMIT_EXCEEDED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.QUEUE_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.QUEUE_PAUSED: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.EXECUTION_NOT_REPLAYABLE: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.STORE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    Reason.STORE_BUSY: grpc.StatusCode.UNAVAILABLE,
    Reason.SHUTTING_DOWN: grpc.StatusCode.UNAVAILABLE,
    Reason.OUTCOME_UNKNOWN: grpc.StatusCode.UNAVAILABLE,
    Reason.INTERNAL_ERROR: grpc.StatusCode.INTERNAL,
}

# The field to blame where the refusal itself names none, and the kind of thing that is missing or taken.
_FIELDS = {
    Reason.INVALID_TEMPLATE: "source",
    Reason.REQUEST_ID_REUSED: "request_id",
    Reason.SESSION_AMBIGUOUS: "session",
    Reason.CONFIRMATION_REQUIRED: "confirm",
    Reason.LABEL_RESERVED: "labels",
}
_THINGS = {
    Reason.SESSION_NOT_FOUND: "session",
    Reason.SHEET_NOT_FOUND: "sheet",
    Reason.EXECUTION_NOT_FOUND: "execution",
    Reason.REFERENCE_NOT_FOUND: "reference",
    Reason.ENTITY_NOT_FOUND: "entity",
    Reason.LABEL_TAKEN: "label",
}
_RETRY_SECONDS = 1.0  # told where a retry helps and the refusal says no better
_CUTS = ((1024, 32), (512, 16), (256, 8), (128, 4), (64, 2), (32, 1))  # (bytes a text, items a list), ever harder


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What goes on the wire: a code, a message for people, and the serialized google.rpc.Status."""

    code: grpc.StatusCode
    message: str
    status: bytes

    @property
    def trailer(self) -> tuple[str, bytes]:
        """The trailing metadata that carries the Status."""
        return DETAILS_KEY, self.status


def refuse(error: SheetError) -> Refusal:
    """The refusal for an error. Details that are too long are cut, and the metadata says `truncated`."""
    code = CODES[error.reason]
    message, shortened = _cut(error.message, MAX_MESSAGE_BYTES)
    for text_bytes, items in _CUTS:
        cutter = _Cutter(text_bytes, items, truncated=shortened)
        details = list(_details(error, code, cutter))
        # ErrorInfo stands first, but is made last: only now it is known whether anything was cut.
        status = status_pb2.Status(code=code.value[0], message=message)
        for detail in (_error_info(error, cutter), *details):
            status.details.add().Pack(detail)
        serialized = status.SerializeToString(deterministic=True)
        if len(serialized) <= MAX_STATUS_BYTES:
            break
        shortened = True
    return Refusal(code=code, message=message, status=serialized)


def internal_error(error_id: str) -> SheetError:
    """What a caller is told of a bug: nothing but the id under which the log has it."""
    return SheetError(
        Reason.INTERNAL_ERROR,
        f"internal error {error_id}; report this id to who runs the server",
        metadata={"errorId": error_id},
    )


class _Cutter:
    """Cuts texts and lists to size, and knows whether it had to."""

    def __init__(self, text_bytes: int, items: int, *, truncated: bool) -> None:
        self._text_bytes = text_bytes
        self.items = items
        self.truncated = truncated

    def text(self, text: str) -> str:
        kept, cut = _cut(text, self._text_bytes)
        self.truncated |= cut
        return kept

    def violations(self, violations: tuple[FieldViolation, ...]) -> tuple[FieldViolation, ...]:
        self.truncated |= len(violations) > self.items
        return violations[: self.items]

    def metadata(self, metadata: Mapping[str, str]) -> dict[str, str]:
        self.truncated |= len(metadata) > self.items
        return {self.text(key): self.text(value) for key, value in list(metadata.items())[: self.items]}


def _cut(text: str, limit: int) -> tuple[str, bool]:
    """The text in at most `limit` bytes of UTF-8, and whether that is less than all; never half a character."""
    # A text may hold a lone surrogate that came from a source; the wire takes none.
    raw = text.encode("utf-8", "replace")
    return raw[:limit].decode("utf-8", "ignore"), len(raw) > limit


def _details(error: SheetError, code: grpc.StatusCode, cutter: _Cutter) -> Iterator[Message]:
    if code in _DETAILS:
        yield _DETAILS[code](error, cutter)
    delay = error.retry_after
    if delay is None and (code is grpc.StatusCode.UNAVAILABLE or error.reason is Reason.QUEUE_FULL):
        delay = _RETRY_SECONDS
    if delay is not None:
        nanos = round(max(delay, 0) * 1e9)
        yield error_details_pb2.RetryInfo(
            retry_delay=Duration(seconds=nanos // 1_000_000_000, nanos=nanos % 1_000_000_000)
        )


def _error_info(error: SheetError, cutter: _Cutter) -> Message:
    metadata = cutter.metadata(error.metadata)
    if cutter.truncated:
        metadata["truncated"] = "true"
    info: Message = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    return info


def _bad_request(error: SheetError, cutter: _Cutter) -> Message:
    violations = error.violations or (FieldViolation(_FIELDS.get(error.reason, "request"), error.message),)
    bad: Message = error_details_pb2.BadRequest(
        field_violations=[
            error_details_pb2.BadRequest.FieldViolation(
                field=cutter.text(one.field), description=cutter.text(one.description), reason=error.reason
            )
            for one in cutter.violations(violations)
        ]
    )
    return bad


def _resource(error: SheetError, cutter: _Cutter) -> Message:
    kind, name = error.resource or (_THINGS.get(error.reason, ""), "")
    info: Message = error_details_pb2.ResourceInfo(
        resource_type=cutter.text(kind), resource_name=cutter.text(name), description=cutter.text(error.message)
    )
    return info


def _precondition(error: SheetError, cutter: _Cutter) -> Message:
    subject = error.resource[1] if error.resource else error.metadata.get("session", "session")
    violation = error_details_pb2.PreconditionFailure.Violation(
        type=error.reason, subject=cutter.text(subject), description=cutter.text(error.message)
    )
    failure: Message = error_details_pb2.PreconditionFailure(violations=[violation])
    return failure


def _quota(error: SheetError, cutter: _Cutter) -> Message:
    violation = error_details_pb2.QuotaFailure.Violation(
        subject=cutter.text(error.metadata.get("what", "server")), description=cutter.text(error.message)
    )
    failure: Message = error_details_pb2.QuotaFailure(violations=[violation])
    return failure


_DETAILS: Mapping[grpc.StatusCode, Callable[[SheetError, _Cutter], Message]] = {
    grpc.StatusCode.INVALID_ARGUMENT: _bad_request,
    grpc.StatusCode.NOT_FOUND: _resource,
    grpc.StatusCode.ALREADY_EXISTS: _resource,
    grpc.StatusCode.FAILED_PRECONDITION: _precondition,
    grpc.StatusCode.RESOURCE_EXHAUSTED: _quota,
}

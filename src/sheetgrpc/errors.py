"""Every error the service answers with, as one tree; nothing here knows gRPC.

    SheetError
    |-- InvalidRequest        the request itself is wrong; the same request never succeeds
    |-- NotFound              the thing named is not there
    |-- AlreadyExists         the name asked for is taken
    |-- NotAllowed            right request, wrong state; act first, then ask again
    |-- Conflict              somebody else was first; read again, then retry
    |-- LimitExceeded         too many, too large, too deep, too busy for more
    `-- Unavailable           nothing is wrong with the request; retry it as it is

A class stands for a status, a `Reason` for what clients branch on. Texts are lower case, name the thing and say what to
do; they may change, reasons and metadata keys may not. The table to gRPC codes is in server/status.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """What a client branches on: google.rpc.ErrorInfo.reason (DESIGN section 10)."""

    INVALID_FIELD = "INVALID_FIELD"
    INVALID_TEMPLATE = "INVALID_TEMPLATE"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    SESSION_AMBIGUOUS = "SESSION_AMBIGUOUS"
    CONFIRMATION_REQUIRED = "CONFIRMATION_REQUIRED"
    LABEL_RESERVED = "LABEL_RESERVED"
    SESSION_NOT_FOUND = "SESSION_NOT_FOUND"
    SHEET_NOT_FOUND = "SHEET_NOT_FOUND"
    EXECUTION_NOT_FOUND = "EXECUTION_NOT_FOUND"
    REFERENCE_NOT_FOUND = "REFERENCE_NOT_FOUND"
    ENTITY_NOT_FOUND = "ENTITY_NOT_FOUND"
    LABEL_TAKEN = "LABEL_TAKEN"
    ACTION_NOT_ALLOWED = "ACTION_NOT_ALLOWED"
    SESSION_CLOSED = "SESSION_CLOSED"
    SESSION_EXPIRED = "SESSION_EXPIRED"
    SHEET_ALREADY_APPLIED = "SHEET_ALREADY_APPLIED"
    EMPTY_SCOPE = "EMPTY_SCOPE"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    CONFLICT = "CONFLICT"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    QUEUE_FULL = "QUEUE_FULL"
    QUEUE_PAUSED = "QUEUE_PAUSED"
    EXECUTION_NOT_REPLAYABLE = "EXECUTION_NOT_REPLAYABLE"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    STORE_BUSY = "STORE_BUSY"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    INTERNAL_ERROR = "INTERNAL_ERROR"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field of a request: its path as in the proto, and what is wrong with it."""

    field: str
    description: str


class SheetError(Exception):
    """A refusal for a caller: a reason, a sentence for people, and the variables of that sentence as metadata."""

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[FieldViolation] = (),
        resource: tuple[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        """`resource` is (type, name) of the missing or taken thing; `retry_after` is in seconds."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.resource = resource
        self.retry_after = retry_after


class InvalidRequest(SheetError):
    """The request is wrong in itself."""


class NotFound(SheetError):
    """The thing named is not there, or is not the caller's."""


class AlreadyExists(SheetError):
    """The name asked for is taken."""


class NotAllowed(SheetError):
    """The request is right, the state is not."""


class Conflict(SheetError):
    """Another command was first."""


class LimitExceeded(SheetError):
    """A limit was reached; metadata has `limit` and `actual`."""


class Unavailable(SheetError):
    """The service cannot answer now; the same request may be sent again."""


def invalid_field(field: str, description: str) -> InvalidRequest:
    """The refusal of one bad request field."""
    return InvalidRequest(
        Reason.INVALID_FIELD, f"{field}: {description}", violations=(FieldViolation(field, description),)
    )


def limit_exceeded(what: str, *, limit: int, actual: int) -> LimitExceeded:
    """The refusal of something beyond a limit of DESIGN section 9."""
    return LimitExceeded(
        Reason.LIMIT_EXCEEDED,
        f"{actual:,} {what} are more than the limit of {limit:,}",
        metadata={"what": what, "limit": str(limit), "actual": str(actual)},
    )

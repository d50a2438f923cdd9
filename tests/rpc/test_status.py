"""The table from reasons to codes, and what goes with each."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from sheetgrpc.errors import (
    AlreadyExists,
    Conflict,
    FieldViolation,
    InvalidRequest,
    LimitExceeded,
    NotAllowed,
    NotFound,
    PermissionDenied,
    Reason,
    SheetError,
    Unauthenticated,
    Unavailable,
    limit_exceeded,
)
from sheetgrpc.server.status import CODES, MAX_STATUS_BYTES, internal_error, refuse
from sheetgrpc.v1 import error_reason_pb2

CLASSES = {
    grpc.StatusCode.INVALID_ARGUMENT: (InvalidRequest, "BadRequest"),
    grpc.StatusCode.NOT_FOUND: (NotFound, "ResourceInfo"),
    grpc.StatusCode.ALREADY_EXISTS: (AlreadyExists, "ResourceInfo"),
    grpc.StatusCode.FAILED_PRECONDITION: (NotAllowed, "PreconditionFailure"),
    grpc.StatusCode.ABORTED: (Conflict, None),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (LimitExceeded, "QuotaFailure"),
    grpc.StatusCode.UNAVAILABLE: (Unavailable, "RetryInfo"),
    grpc.StatusCode.INTERNAL: (SheetError, None),
    grpc.StatusCode.UNAUTHENTICATED: (Unauthenticated, None),
    grpc.StatusCode.PERMISSION_DENIED: (PermissionDenied, None),
}


def read(error: SheetError) -> tuple[status_pb2.Status, list[str], error_details_pb2.ErrorInfo]:
    status = status_pb2.Status.FromString(refuse(error).status)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return status, [detail.TypeName().rpartition(".")[2] for detail in status.details], info


def test_every_reason_has_a_code_and_the_documented_one() -> None:
    """B6."""
    assert set(CODES) == set(Reason)
    comments = {reason: CODES[reason].name for reason in Reason}
    published = set(error_reason_pb2.ErrorReason.keys())
    assert {f"ERROR_REASON_{reason}" for reason in comments} <= published


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_has_one_error_info_and_the_detail_of_its_code(reason: Reason) -> None:
    kind, detail = CLASSES[CODES[reason]]
    status, details, info = read(kind(reason, "no", metadata={"session": "s"}))
    assert (status.code, status.message) == (CODES[reason].value[0], "no")
    assert (info.reason, info.domain, dict(info.metadata)) == (reason, "sheetgrpc", {"session": "s"})
    assert details.count("ErrorInfo") == 1
    assert len(set(details)) == len(details)
    assert detail is None or detail in details


@pytest.mark.parametrize("filler", ["x", "é", "😀", "\x00", "\ud800"], ids=["ascii", "two", "four", "nul", "surrogate"])
@pytest.mark.parametrize("reason", Reason)
def test_a_huge_refusal_is_cut_below_the_limit_and_says_so(reason: Reason, filler: str) -> None:
    huge = filler * 100_000
    error = CLASSES[CODES[reason]][0](
        reason,
        huge,
        metadata={f"{huge}{number}": huge for number in range(50)},
        violations=[FieldViolation(huge, huge)] * 50,
        resource=(huge, huge),
        retry_after=1.0,
    )
    status, details, info = read(error)
    assert len(status.SerializeToString()) <= MAX_STATUS_BYTES
    assert 500 < len(status.message.encode()) <= 512
    assert info.metadata["truncated"] == "true"
    assert info.reason == reason
    assert details.count("ErrorInfo") == 1


def test_many_small_violations_are_cut_too() -> None:
    violations = [FieldViolation(f"field{number}", "is wrong") for number in range(1000)]
    status, _, info = read(InvalidRequest(Reason.INVALID_FIELD, "many", violations=violations))
    bad = error_details_pb2.BadRequest()
    status.details[1].Unpack(bad)
    assert info.metadata["truncated"] == "true"
    assert 8 <= len(bad.field_violations) < 1000
    assert bad.field_violations[0].field == "field0"


def test_a_refusal_of_ordinary_size_is_whole() -> None:
    _, _, info = read(limit_exceeded("statements", limit=10, actual=11))
    assert dict(info.metadata) == {"what": "statements", "limit": "10", "actual": "11"}


def test_what_may_be_retried_says_when() -> None:
    status, details, _ = read(Unavailable(Reason.STORE_BUSY, "busy", retry_after=1.25))
    retry = error_details_pb2.RetryInfo()
    status.details[details.index("RetryInfo")].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 1250
    assert "RetryInfo" not in read(LimitExceeded(Reason.LIMIT_EXCEEDED, "no"))[1]


def test_an_internal_error_tells_its_id_alone() -> None:
    status, _, info = read(internal_error("abc"))
    assert dict(info.metadata) == {"errorId": "abc"}
    assert "abc" in status.message

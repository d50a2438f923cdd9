"""What a failed call is read as: class by status code, the rest from its details."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from tests.client.scripted import reason, retry_after

from sheetgrpc.client import (
    AlreadyExists,
    Conflict,
    DeadlineExceeded,
    FieldViolation,
    InvalidRequest,
    LimitExceeded,
    NotAllowed,
    NotFound,
    ServerFault,
    SheetgrpcError,
    Unavailable,
)
from sheetgrpc.client.errors import DETAILS_KEY, read_error

CLASSES = {
    "CANCELLED": Unavailable,
    "UNKNOWN": ServerFault,
    "INVALID_ARGUMENT": InvalidRequest,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "PERMISSION_DENIED": NotAllowed,
    "RESOURCE_EXHAUSTED": LimitExceeded,
    "FAILED_PRECONDITION": NotAllowed,
    "ABORTED": Conflict,
    "OUT_OF_RANGE": InvalidRequest,
    "UNIMPLEMENTED": ServerFault,
    "INTERNAL": ServerFault,
    "UNAVAILABLE": Unavailable,
    "DATA_LOSS": ServerFault,
    "UNAUTHENTICATED": NotAllowed,
}


class Failed:
    def __init__(self, code: grpc.StatusCode, details: str | None = "no") -> None:
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str | None:
        return self._details


def packed(*details: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo) -> bytes:
    status = status_pb2.Status()
    for detail in details:
        status.details.add().Pack(detail)
    return status.SerializeToString()


def test_every_status_code_but_ok_has_a_class() -> None:
    assert set(CLASSES) | {"OK"} == {code.name for code in grpc.StatusCode}


@pytest.mark.parametrize(("code", "kind"), CLASSES.items())
def test_the_class_follows_the_code(code: str, kind: type[SheetgrpcError]) -> None:
    error = read_error(Failed(grpc.StatusCode[code]), ())
    assert type(error) is kind
    assert (error.code.name, error.message, error.reason, error.retry_after) == (code, "no", "", None)


def test_reason_metadata_violations_and_advice_come_from_the_details() -> None:
    bad = error_details_pb2.BadRequest(
        field_violations=[error_details_pb2.BadRequest.FieldViolation(field="page_size", description="negative")]
    )
    trailers = [(DETAILS_KEY, packed(reason("QUEUE_FULL", limit="8"), bad, retry_after(3)))]
    error = read_error(Failed(grpc.StatusCode.RESOURCE_EXHAUSTED), trailers)
    assert error.reason == "QUEUE_FULL"
    assert error.metadata == {"limit": "8"}
    assert error.violations == (FieldViolation("page_size", "negative"),)
    assert error.retry_after == 3.0
    assert str(error) == "no [QUEUE_FULL]"


def test_a_reason_of_another_domain_is_not_ours() -> None:
    info = error_details_pb2.ErrorInfo(reason="QUOTA", domain="proxy.example")
    assert read_error(Failed(grpc.StatusCode.UNAVAILABLE), [(DETAILS_KEY, packed(info))]).reason == ""


@pytest.mark.parametrize("damaged", [b"\xff\xff", packed(reason("X"))[:-3]])
def test_damaged_details_are_left_out(damaged: bytes) -> None:
    error = read_error(Failed(grpc.StatusCode.NOT_FOUND), [(DETAILS_KEY, damaged)])
    assert type(error) is NotFound
    assert error.metadata == {}


def test_a_status_without_a_message_still_says_something() -> None:
    assert str(read_error(Failed(grpc.StatusCode.UNAVAILABLE, None), ())) == "unavailable"

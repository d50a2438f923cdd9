"""Times, durations, JSON values, keys: what both sides have under other types."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import NULL_VALUE, ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from sheetgrpc.dsl.diagnostics import Span
from sheetgrpc.planning.model import Key
from sheetgrpc.server.convert.form import Form
from sheetgrpc.v1 import span_pb2

_MICROS = 1_000_000
_NANOS = 1_000_000_000
_DURATION_SECONDS = 315_576_000_000  # what google.protobuf.Duration itself allows: 10,000 years
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # of google.protobuf.Timestamp: years 1 to 9999
_EXACT = 2**53


def write_time(micros: int | None) -> Timestamp | None:
    """A time; None stays None."""
    return None if micros is None else Timestamp(seconds=micros // _MICROS, nanos=micros % _MICROS * 1000)


def fill_time(message: Timestamp, micros: int) -> None:
    """A time, written where its message already is."""
    message.seconds, message.nanos = micros // _MICROS, micros % _MICROS * 1000


def read_time(form: Form, field: str, time: Timestamp) -> int:
    """Microseconds since 1970 UTC; a part of one counts as one."""
    if not (_FIRST_SECOND <= time.seconds <= _LAST_SECOND and 0 <= time.nanos < _NANOS):
        form.refuse(field, "is no valid time")
    return time.seconds * _MICROS + -(-time.nanos // 1000)


def write_rfc3339(micros: int) -> str:
    """A time as text, in UTC."""
    return f"{_write_second(micros // _MICROS)}.{micros % _MICROS:06}Z"


@lru_cache(maxsize=16)  # most of what is told in a second is of the same one
def _write_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()[:19]


def write_duration(micros: int) -> Duration:
    """A span of time that is not negative."""
    return Duration(seconds=micros // _MICROS, nanos=micros % _MICROS * 1000)


def read_timeout(form: Form, field: str, duration: Duration, *, least: int = 1) -> int:
    """Microseconds of a span of time, `least` or more; less than one counts as one."""
    seconds, nanos = duration.seconds, duration.nanos
    if abs(seconds) > _DURATION_SECONDS or abs(nanos) >= _NANOS or seconds * nanos < 0:
        form.refuse(field, "is no valid duration")
    elif seconds < 0 or nanos < 0 or not (seconds or nanos or not least):
        form.refuse(field, "must be more than zero" if least else "must not be negative")
    return seconds * _MICROS + -(-nanos // 1000)


def write_span(span: Span) -> span_pb2.Span:
    """A place in a source."""
    return span_pb2.Span(offset=span.offset, length=span.length, line=span.line, column=span.column)


def write_key(key: Key | None) -> str:
    """A key as text; empty for none."""
    return "" if key is None else str(key)


def read_struct(form: Form, field: str, struct: Struct) -> dict[str, Any]:  # Any: JSON values
    """A JSON object; a number that JSON has no text for is refused. Depth is bounded by the parser of messages."""
    return {key: _read_value(form, f"{field}.{key}", value) for key, value in struct.fields.items()}


def write_struct(values: Mapping[str, Any]) -> Struct:  # Any: JSON values
    """A JSON object; integers that a double cannot hold are written as strings."""
    return Struct(fields={key: _write_value(value) for key, value in values.items()})


def _read_value(form: Form, field: str, value: Value) -> Any:  # Any: a JSON value
    match value.WhichOneof("kind"):
        case "struct_value":
            return read_struct(form, field, value.struct_value)
        case "list_value":
            return [_read_value(form, f"{field}[{at}]", item) for at, item in enumerate(value.list_value.values)]
        case "number_value":
            if not math.isfinite(value.number_value):
                form.refuse(field, "must be a finite number")
            return value.number_value
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None


def _write_value(value: object) -> Value:
    match value:
        case None:
            return Value(null_value=NULL_VALUE)
        case bool():
            return Value(bool_value=value)
        case int() if abs(value) <= _EXACT:
            return Value(number_value=value)
        case float() if math.isfinite(value):
            return Value(number_value=value)
        case str():
            return Value(string_value=value)
        case Mapping():
            return Value(struct_value=write_struct(value))
        case Sequence() if not isinstance(value, bytes):
            return Value(list_value=ListValue(values=[_write_value(item) for item in value]))
        case _:  # integers beyond a double, decimals, dates
            return Value(string_value=str(value))

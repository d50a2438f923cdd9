"""Form of requests, and values on their way between the wire and us."""

import math
from datetime import UTC, datetime

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from sheetgrpc.errors import InvalidRequest, Reason
from sheetgrpc.planning.model import Effect, Status
from sheetgrpc.server.convert import enums, values
from sheetgrpc.server.convert.catalogs import _print_value
from sheetgrpc.server.convert.form import Form
from sheetgrpc.v1 import statement_pb2, statement_result_pb2


def violations(form: Form) -> list[str]:
    try:
        form.done()
    except InvalidRequest as error:
        return [f"{error.reason} {violation.field}" for violation in error.violations]
    return []


@pytest.mark.parametrize(
    "label",
    ["a", "ab", "01234", "nightly", "9bcdef", "i1234567", "0123456789-", "01l234", "0" * 27, "é" * 128, "0KKKK\u212a"],
)
def test_a_label_that_is_no_id_prefix_is_taken(label: str) -> None:
    form = Form()
    assert form.labels("labels", [label]) == (label,)
    assert violations(form) == []


@pytest.mark.parametrize("label", ["012345", "7ZZZZZ", "01m80mxtak13r5v4b1jw4qq4mf", "0" * 26, "0abcdeF"])
def test_a_label_that_could_be_an_id_prefix_is_reserved(label: str) -> None:
    form = Form()
    form.labels("labels", ["fine", label])
    assert violations(form) == ["LABEL_RESERVED labels[1]"]


@pytest.mark.parametrize("label", ["", "x" * 129, "a\x00b", "a\nb", "\x7f", "\x85"])
def test_a_label_that_is_no_text_of_one_line_is_refused(label: str) -> None:
    form = Form()
    form.labels("labels", [label])
    assert violations(form) == ["INVALID_FIELD labels[0]"]


def test_bad_fields_win_over_reserved_labels_and_all_are_told() -> None:
    form = Form()
    form.labels("labels", ["", "012345", "\t"])
    form.text("role", "x" * 1001)
    assert violations(form) == ["INVALID_FIELD labels[0]", "INVALID_FIELD labels[2]", "INVALID_FIELD role"]


def test_the_same_label_twice_is_one() -> None:
    assert Form().labels("labels", ["b", "a", "b"]) == ("b", "a")


def test_too_many_labels_and_too_many_violations_do_not_pile_up() -> None:
    form = Form()
    form.labels("labels", ["x"] * 100_000)
    assert violations(form) == ["INVALID_FIELD labels"]
    form.keys("ids", [""] * 100_000)
    assert len(violations(form)) == 20


@pytest.mark.parametrize(
    ("seconds", "nanos", "micros"),
    [(1, 0, 1_000_000), (0, 1, 1), (0, 1001, 2), (1, 500_000_000, 1_500_000), (315_576_000_000, 0, 315_576 * 10**12)],
)
def test_a_timeout_is_taken_in_microseconds_and_never_shortened(seconds: int, nanos: int, micros: int) -> None:
    form = Form()
    assert values.read_timeout(form, "timeout", Duration(seconds=seconds, nanos=nanos)) == micros
    assert violations(form) == []


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [
        (0, 0),
        (-1, 0),
        (0, -1),
        (1, -1),
        (-1, 1),
        (0, 1_000_000_000),
        (315_576_000_001, 0),
        (2**63 - 1, 2**31 - 1),
        (-(2**63), -(2**31)),
    ],
)
def test_a_timeout_that_is_none_is_refused(seconds: int, nanos: int) -> None:
    form = Form()
    values.read_timeout(form, "timeout", Duration(seconds=seconds, nanos=nanos))
    assert violations(form) == ["INVALID_FIELD timeout"]


@pytest.mark.parametrize("micros", [0, 1, 999_999, 1_795_318_278_483_676, -1])
def test_a_time_keeps_its_microseconds(micros: int) -> None:
    written = values.write_time(micros)
    assert written is not None
    assert written.ToMicroseconds() == micros
    assert datetime.fromisoformat(values.write_rfc3339(micros)) == written.ToDatetime(UTC)


def test_no_time_stays_none() -> None:
    assert values.write_time(None) is None


def test_a_json_object_comes_back_as_it_went() -> None:
    told = {"a": None, "b": [1.5, "x", True, {"c": {}}], "": {"é": -0.0}, "n": 1e308}
    struct = Struct()
    struct.update(told)
    form = Form()
    read = values.read_struct(form, "metadata", struct)
    assert read == told
    assert violations(form) == []
    assert MessageToDict(values.write_struct(read)) == MessageToDict(struct)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_has_not_is_refused_where_it_is(number: float) -> None:
    struct = Struct()
    struct.update({"a": {"b": [0, number]}})
    form = Form()
    values.read_struct(form, "metadata", struct)
    assert violations(form) == ["INVALID_FIELD metadata.a.b[1]"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2**53, 2.0**53),
        (2**53 + 1, "9007199254740993"),
        (-(2**63), "-9223372036854775808"),
        (True, True),
        (math.nan, "nan"),
    ],
)
def test_what_a_double_cannot_hold_is_written_as_text(value: object, written: object) -> None:
    assert values.write_struct({"v": value})["v"] == written


def test_statuses_and_effects_are_stored_under_the_numbers_of_the_wire() -> None:
    assert {status.name: int(status) for status in Status} == {
        name.removeprefix("STATEMENT_STATUS_"): number
        for name, number in statement_pb2.StatementStatus.items()
        if number
    }
    assert {effect.name: int(effect) for effect in Effect if effect} == {
        name.removeprefix("EFFECT_KIND_"): number for name, number in statement_result_pb2.EffectKind.items() if number
    }


def test_unknown_and_unspecified_values_of_a_filter_are_refused_and_long_lists_too() -> None:
    form = Form()
    assert enums.STATES.read_all(form, "states", [1, 0, 99, 1]) == (next(iter(enums.STATES._numbers)),)
    assert violations(form) == ["INVALID_FIELD states[1]", "INVALID_FIELD states[2]"]
    form = Form()
    enums.STATES.read_all(form, "states", [1] * 1_000_000)
    assert violations(form) == ["INVALID_FIELD states"]


@pytest.mark.parametrize(
    ("value", "text"), [("a", '"a"'), ('q"', '"q\\""'), (1, "1"), (True, "true"), (None, "nil"), (")", '")"')]
)
def test_values_of_the_catalog_are_shown_as_a_sheet_has_them(value: "str | int | bool | None", text: str) -> None:
    assert _print_value(value) == text


def test_invalid_field_is_the_reason_of_form() -> None:
    form = Form()
    form.name("session", "")
    with pytest.raises(InvalidRequest) as refused:
        form.done()
    assert refused.value.reason is Reason.INVALID_FIELD
    assert refused.value.message == "session: must not be empty"

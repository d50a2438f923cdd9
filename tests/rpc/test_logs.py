"""Logs: one JSON object a line, whatever is in it, whoever logs it."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from sheetgrpc.server.logs import configure_logs


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    yield io.StringIO()
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().removesuffix("\n").split("\n")]


def test_a_line_has_its_time_its_level_and_what_was_said(stream: io.StringIO) -> None:
    configure_logs("json", stream)
    structlog.get_logger().info("rpc.finished", ms=1.5, text="a\nb\u2028é", odd=object, bad="\ud800")
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["ms"], line["text"]) == ("rpc.finished", "info", 1.5, "a\nb\u2028é")
    assert abs(datetime.fromisoformat(line["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_exception_is_one_line_with_its_traceback(stream: io.StringIO) -> None:
    configure_logs("json", stream)
    try:
        raise ValueError("broken")
    except ValueError as error:
        structlog.get_logger().error("rpc.failed", exc_info=error)
    (line,) = lines(stream)
    assert line["level"] == "error"
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: broken")
    assert "exc_info" not in line


def test_what_libraries_warn_of_is_a_line_like_the_others_and_less_is_left_out(stream: io.StringIO) -> None:
    configure_logs("json", stream)
    logging.getLogger("grpc._cython").warning("%s is odd", "this")
    logging.getLogger("grpc._cython").info("noise")
    structlog.get_logger().debug("noise")
    (line,) = lines(stream)
    assert (line["level"], line["logger"], line["message"]) == ("warning", "grpc._cython", "this is odd")


def test_auto_is_json_where_there_is_no_terminal(stream: io.StringIO) -> None:
    configure_logs("auto", stream)
    structlog.get_logger().info("x")
    assert lines(stream)[0]["event"] == "x"


def test_pretty_is_for_people(stream: io.StringIO) -> None:
    configure_logs("pretty", stream)
    structlog.get_logger().info("server.started", address="here")
    assert "server.started" in stream.getvalue()
    assert not stream.getvalue().startswith("{")

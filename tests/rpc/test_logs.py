"""Logs: one JSON object a line, whatever is in it, whoever logs it."""

import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

import pytest
import structlog

from sheetgrpc.server.logs import configure_logs
from sheetgrpc.server.outlet import Outlet


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before, handlers, level = structlog.get_config(), logging.root.handlers[:], logging.root.level
    yield
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@contextmanager
def logging_to(stream: TextIO, log_format: str = "json") -> Iterator[Outlet]:
    with closing(configure_logs(log_format, stream)) as outlet:
        yield outlet


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().removesuffix("\n").split("\n")]


def test_a_line_has_its_time_its_level_and_what_was_said(stream: io.StringIO) -> None:
    with logging_to(stream):
        structlog.get_logger().info("rpc.finished", ms=1.5, text="a\nb\u2028é", odd=object, bad="\ud800")
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["ms"], line["text"]) == ("rpc.finished", "info", 1.5, "a\nb\u2028é")
    assert abs(datetime.fromisoformat(line["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_exception_is_one_line_with_its_traceback(stream: io.StringIO) -> None:
    with logging_to(stream):
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
    with logging_to(stream):
        logging.getLogger("grpc._cython").warning("%s is odd", "this")
        logging.getLogger("grpc._cython").info("noise")
        structlog.get_logger().debug("noise")
    (line,) = lines(stream)
    assert (line["level"], line["logger"], line["message"]) == ("warning", "grpc._cython", "this is odd")


def test_auto_is_json_where_there_is_no_terminal(stream: io.StringIO) -> None:
    with logging_to(stream, "auto"):
        structlog.get_logger().info("x")
    assert lines(stream)[0]["event"] == "x"


def test_pretty_is_for_people(stream: io.StringIO) -> None:
    with logging_to(stream, "pretty"):
        structlog.get_logger().info("server.started", address="here")
    assert "server.started" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_what_is_said_after_the_end_is_written_at_the_exit(stream: io.StringIO) -> None:
    with logging_to(stream) as outlet:
        structlog.get_logger().info("first")
    structlog.get_logger().info("last")
    outlet.close()
    assert [line["event"] for line in lines(stream)] == ["first", "last"]


@dataclass
class Pipe:
    """A pipe as stderr may be one, and what came out of it."""

    reading: int
    writing: TextIO
    text: str = ""

    def drain(self) -> None:
        """Reads to the end in a thread of its own, as a reader that was slow would."""
        with os.fdopen(self.reading, encoding="utf-8") as reader:
            self.text = reader.read()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        yield Pipe(reading, stream)


def test_a_pipe_that_nobody_reads_holds_nobody_up_and_what_was_lost_is_told(pipe: Pipe) -> None:
    most, said = 100, 5_000
    outlet = Outlet(pipe.writing, lambda count: f"lost {count}", most=most)
    for number in range(said):  # a pipe holds 64 KiB, so this would wait for ever if anybody waited
        outlet.put(f"{number} {'x' * 200}")
    reader = threading.Thread(target=pipe.drain)
    reader.start()
    outlet.close(seconds=10)
    pipe.writing.close()
    reader.join()
    told = pipe.text.splitlines()
    kept = [int(line.partition(" ")[0]) for line in told if not line.startswith("lost")]
    lost = [int(line.partition(" ")[2]) for line in told if line.startswith("lost")]
    assert kept == sorted(kept)
    assert len(kept) + sum(lost) == said
    assert min(most, said) <= len(kept) < said


def test_a_pipe_that_nobody_reads_does_not_keep_the_process_from_ending(pipe: Pipe) -> None:
    outlet = Outlet(pipe.writing, str)
    for _ in range(1_000):
        outlet.put("x" * 200)
    outlet.close(seconds=0.05)  # gives up
    os.close(pipe.reading)  # the thread is let go, and has nobody to tell


def test_a_reader_that_is_gone_is_no_matter(pipe: Pipe) -> None:
    os.close(pipe.reading)
    outlet = Outlet(pipe.writing, str)
    outlet.put_urgent("x")
    outlet.close(seconds=10)
    assert not outlet._thread.is_alive()


def test_a_pipe_that_does_not_wait_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.writing.fileno(), False)
    outlet = Outlet(pipe.writing, str)
    for number in range(1_000):
        outlet.put(f"{number} {'x' * 200}")
    reader = threading.Thread(target=pipe.drain)
    reader.start()
    outlet.close(seconds=10)
    pipe.writing.close()
    reader.join()
    assert [line.partition(" ")[0] for line in pipe.text.splitlines()] == [str(number) for number in range(1_000)]


def test_many_threads_lose_no_line_between_them(stream: io.StringIO) -> None:
    outlet = Outlet(stream, str)
    threads = [threading.Thread(target=lambda: [outlet.put("x") for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outlet.close(seconds=10)
    assert stream.getvalue() == "x\n" * 4_000

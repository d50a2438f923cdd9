"""Logs: JSON lines on stderr, pretty on a terminal; what libraries log takes the same way.

There is a line a call, so a line must be cheap: two processors, and a queue that a thread writes out. Called once,
before the server starts: reconfiguring while gRPC's objects are finalised can deadlock.
"""

import atexit
import json
import logging
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TextIO

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from sheetgrpc.clock import wall_clock
from sheetgrpc.server.outlet import Outlet


def configure_logs(log_format: str, stream: TextIO | None = None) -> Outlet:
    """Sets how the process logs: "json", "pretty", or "auto" for pretty on a terminal. The outlet is to be closed."""
    stream = stream or sys.stderr
    pretty = log_format == "pretty" or (log_format == "auto" and stream.isatty())
    render: Callable[[WrappedLogger, str, EventDict], str] = structlog.dev.ConsoleRenderer() if pretty else _render

    def tell_lost(count: int) -> str:
        return render(None, "warning", _stamp(None, "warning", {"event": "log.dropped", "lines": count}))

    outlet = Outlet(stream, tell_lost)
    atexit.register(outlet.close, 0.1)  # what was said after it was closed
    structlog.configure(
        processors=[_stamp, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: outlet,
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forwarding()], level=logging.WARNING, force=True)
    return outlet


def _stamp(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The event after its time and level, which a reader looks for first."""
    second, micros = divmod(wall_clock(), 1_000_000)
    level = "error" if method == "exception" else method
    return {"timestamp": f"{_write_second(second)}.{micros:06}Z", "level": level, **event}


@lru_cache(maxsize=2)  # of many lines a second only the first has its second written anew
def _write_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def _render(logger: WrappedLogger, method: str, event: EventDict) -> str:
    if event.get("exc_info"):
        event = dict(structlog.processors.format_exc_info(logger, method, event))
    try:
        return msgspec.json.encode(event, enc_hook=str).decode()
    except UnicodeEncodeError:  # a lone surrogate, which json writes as an escape
        return json.dumps(event, default=str)


class _Forwarding(logging.Handler):
    """Hands what libraries log to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(
            record.levelno, "library.log", logger=record.name, message=record.getMessage(), exc_info=record.exc_info
        )

"""Logs: JSON lines on stderr, pretty on a terminal; what libraries log takes the same way.

There is a line a call, so a line must be cheap: two processors, one write. Called once, before the server starts:
reconfiguring while gRPC's objects are finalised can deadlock.
"""

import json
import logging
import sys
import time
from typing import TextIO

import msgspec
import structlog
from structlog.typing import EventDict, WrappedLogger

from sheetgrpc.clock import wall_clock


def configure_logs(log_format: str, stream: TextIO | None = None) -> None:
    """Sets how the process logs: "json", "pretty", or "auto" for pretty on a terminal."""
    stream = stream or sys.stderr
    pretty = log_format == "pretty" or (log_format == "auto" and stream.isatty())
    structlog.configure(
        processors=[_stamp, structlog.dev.ConsoleRenderer() if pretty else _render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forwarding()], level=logging.WARNING, force=True)


def _stamp(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """The event after its time and level, which a reader looks for first."""
    now = wall_clock()
    second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1_000_000))
    level = "error" if method == "exception" else method
    return {"timestamp": f"{second}.{now % 1_000_000:06}Z", "level": level, **event}


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

"""Logs: JSON lines on stderr, pretty on a terminal; what libraries log takes the same way.

Called once, before the server starts: reconfiguring while gRPC's objects are finalised can deadlock.
"""

import logging
import sys
from typing import TextIO

import msgspec
import structlog
from structlog.typing import Processor


def configure_logs(log_format: str, stream: TextIO | None = None) -> None:
    """Sets how the process logs: "json", "pretty", or "auto" for pretty on a terminal."""
    stream = stream or sys.stderr
    pretty = log_format == "pretty" or (log_format == "auto" and stream.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_rendering(pretty=pretty),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forwarding()], level=logging.WARNING, force=True)


def _rendering(*, pretty: bool) -> list[Processor]:
    if pretty:
        return [structlog.dev.ConsoleRenderer()]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_encode)]


def _encode(event: object, **_options: object) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


class _Forwarding(logging.Handler):
    """Hands what libraries log to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        log.log(
            record.levelno, "library.log", logger=record.name, message=record.getMessage(), exc_info=record.exc_info
        )

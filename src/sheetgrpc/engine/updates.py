"""What a watcher of an execution is told, update by update.

Updates belong to the run, not to a stream: every watcher gets the same ones, so each is encoded once. `epoch` and
`sequence` place an update in the run; `token` is what a client sends back to continue right after it.
"""

from collections.abc import Callable
from functools import cached_property

import msgspec

from sheetgrpc.engine.views import ResultView
from sheetgrpc.store.records import ExecutionRow


class Snapshot(msgspec.Struct, frozen=True):
    """The execution as it stands: the first update of a stream that does not resume."""

    execution: ExecutionRow


class PhaseStarted(msgspec.Struct, frozen=True):
    """A phase began."""

    depth: int
    statement_count: int


class PhaseCompleted(msgspec.Struct, frozen=True):
    """Phases of these depths ended, with how their statements ended (provisional until Finished)."""

    first_depth: int
    last_depth: int
    succeeded: int
    failed: int
    skipped: int


class StatementResults:
    """Results of statements, only for streams that asked; provisional until Finished.

    They are read when the first such stream gets here, so that a run nobody asks about pays nothing for them.
    """

    def __init__(self, read: Callable[[], list[ResultView]]) -> None:
        self._read = read

    @cached_property
    def results(self) -> list[ResultView]:
        """The results as they stood when they were first read."""
        return self._read()


class Progress(msgspec.Struct, frozen=True):
    """Statements done of all."""

    completed: int
    total: int


class Finished(msgspec.Struct, frozen=True):
    """The execution is over: the last update."""

    execution: ExecutionRow


class Heartbeat(msgspec.Struct, frozen=True):
    """Nothing happened for a while; the stream is alive."""


Body = Snapshot | PhaseStarted | PhaseCompleted | StatementResults | Progress | Finished | Heartbeat


class Update(msgspec.Struct):
    """One message of a stream. `encoded` is the edge's: the message's bytes, once somebody needed them."""

    epoch: int
    sequence: int
    token: str
    time: int  # microseconds since 1970 UTC
    body: Body
    encoded: bytes | None = None

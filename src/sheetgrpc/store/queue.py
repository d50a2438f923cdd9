"""The rows of the queue, as values: how it stands, what waits in it by state, and a receipt for each attempt.

Nothing here knows a database. Times are microseconds since 1970 UTC.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from sheetgrpc.errors import LimitExceeded, NotAllowed, Reason
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.records import Changes, ExecutionError, ExecutionFilter, ExecutionRow, StoredReply, TableCounts

_FULL_RETRY_SECONDS = 1.0
_UNFINISHED = frozenset(state.value for state in ExecutionState if not state.terminal)


class QueueMode(StrEnum):
    """How the queue stands, for every server of the database."""

    RUNNING = "RUNNING"
    """What is submitted waits its turn and runs."""
    HOLD = "HOLD"
    """What is submitted waits; nothing more is begun."""
    REJECT = "REJECT"
    """Nothing more is begun, and nothing taken in."""
    DRAIN = "DRAIN"
    """What waits runs; nothing is taken in."""

    @property
    def claims(self) -> bool:
        """True where what waits may begin."""
        return self in (QueueMode.RUNNING, QueueMode.DRAIN)

    @property
    def admits(self) -> bool:
        """True where more is taken in."""
        return self in (QueueMode.RUNNING, QueueMode.HOLD)


class QueueRow(msgspec.Struct, frozen=True):
    """How the queue stands, and who made it so and when; nobody and 0 where nobody ever did."""

    mode: QueueMode = QueueMode.RUNNING
    changed_by: str = ""
    changed_at: int = 0


class QueueChange(msgspec.Struct, frozen=True):
    """What a command about the queue writes, in one transaction."""

    queue: QueueRow
    reply: StoredReply | None = None


class QueueCounts(msgspec.Struct, frozen=True):
    """All executions that are stored, by state (those without any are left out), as one read saw them."""

    states: Mapping[str, int]
    retries: int = 0  # of all of them together
    deferrals: int = 0
    oldest_queued_at: int | None = None  # when the one was submitted that waits for longest


class AttemptOutcome(StrEnum):
    """How one attempt at an execution ended. All but the last two are how the execution itself ended, too."""

    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    ROLLED_BACK = "ROLLED_BACK"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    TIMED_OUT = "TIMED_OUT"
    INTERRUPTED = "INTERRUPTED"
    RETRIED = "RETRIED"
    """It failed as it may not fail again; the execution waits for another attempt."""
    DEFERRED = "DEFERRED"
    """The database had no room for it before anything was tried; the execution waits for another attempt."""


class ReceiptRow(msgspec.Struct, frozen=True):
    """What became of one attempt, written with the state that it left. `epoch` names the attempt."""

    execution_id: str
    epoch: int
    outcome: AttemptOutcome
    sheet_digest: str
    started_at: int
    ended_at: int
    phases_completed: int = 0
    tables: tuple[TableCounts, ...] = ()  # of what it committed
    error: ExecutionError | None = None


def receipt_of(changes: Changes, after: ExecutionRow, now: int) -> ReceiptRow | None:
    """The receipt that a change of an execution leaves: of the attempt that is over with it, if one is.

    Where it is not known what the execution was before, one that has ended says itself whether it ran.
    """
    before = changes.moved_from
    attempt = after if before is None else before
    if after.state is ExecutionState.RUNNING or attempt.started_at is None:
        return None
    if before is not None and before.state is not ExecutionState.RUNNING:
        return None
    return ReceiptRow(
        execution_id=after.id,
        epoch=attempt.epoch,
        outcome=_outcome(attempt, after),
        sheet_digest=after.sheet_digest,
        started_at=attempt.started_at,
        ended_at=max(attempt.started_at, after.ended_at or now),
        phases_completed=max(after.phases_completed, changes.phases_reached),
        tables=after.tables,
        error=after.error,
    )


def _outcome(before: ExecutionRow, after: ExecutionRow) -> AttemptOutcome:
    if after.state is not ExecutionState.QUEUED:
        return AttemptOutcome(after.state.value)
    return AttemptOutcome.RETRIED if after.retry_count > before.retry_count else AttemptOutcome.DEFERRED


def check_admission(mode: QueueMode, waiting: int, most: int) -> None:
    """Raises NotAllowed(QUEUE_PAUSED), LimitExceeded(QUEUE_FULL) where the queue takes no more."""
    if not mode.admits:
        text = f"the queue takes nothing in: it was paused with mode {mode}; submit again once it is resumed"
        raise NotAllowed(Reason.QUEUE_PAUSED, text, metadata={"mode": mode.value}, resource=("queue", "queue"))
    if waiting >= most:
        raise LimitExceeded(
            Reason.QUEUE_FULL,
            f"{waiting:,} executions wait already, which is as many as may; try again later",
            metadata={"what": "waiting executions", "limit": str(most), "actual": str(waiting)},
            retry_after=_FULL_RETRY_SECONDS,
        )


def list_of_executions(wanted: ExecutionFilter) -> str:
    """The query that lists these: the one from the index that leaves the fewest, as a rule."""
    if wanted.dead_letters_only:
        return "executions_dead"
    if wanted.replay_of:
        return "executions_replaying"
    if wanted.states and _UNFINISHED.issuperset(wanted.states):
        return "executions_unfinished"
    return "executions_of_session" if wanted.session_id else "executions"

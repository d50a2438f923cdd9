"""When an attempt that failed is followed by another, and when that may begin: by the kind of failure, never its text.

Pure. Two things put an execution back into the queue, counted apart. The database had no room for it before anything
was tried (no writer, no connection): it is put off, as often as it takes, each time for longer up to a bound. Or the
attempt failed as it need not fail again (a lock, a serialization failure, a lost connection): it is retried, a few
times, after ever longer waits, and then it stays FAILED. Everything else fails at once.
"""

from collections.abc import Sequence
from enum import Enum, auto

import msgspec

from sheetgrpc.errors import Reason, SheetError, Unavailable
from sheetgrpc.planning.model import ErrorCode
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.records import ExecutionError, ExecutionRow

_TRANSIENT = frozenset({Reason.STORE_BUSY, Reason.STORE_UNAVAILABLE, Reason.OUTCOME_UNKNOWN})
_DOUBLINGS = 5  # of the first deferral: 50 ms grow to 1.6 s
_SEEDS = 2**64
_MICROS = 1_000_000


class Verdict(Enum):
    """What follows a failure."""

    DEFER = auto()
    RETRY = auto()
    GIVE_UP = auto()


def judge(error: SheetError, *, begun: bool) -> Verdict:
    """What follows an attempt that this refusal of the store stopped. `begun`: its transaction was under way."""
    if not isinstance(error, Unavailable) or error.reason not in _TRANSIENT:
        return Verdict.GIVE_UP
    if error.reason is Reason.STORE_BUSY and not begun:
        return Verdict.DEFER
    return Verdict.RETRY


def retry(claimed: ExecutionRow, error: SheetError, now: int, delays: Sequence[float]) -> ExecutionRow | None:
    """The execution, queued again after a failure, with its reason; None once it was retried as often as it may.

    `delays` in seconds, one a retry.
    """
    if claimed.retry_count >= len(delays):
        return None
    wait = round(delays[claimed.retry_count] * _MICROS)
    reason = ExecutionError(ErrorCode.DB_CONNECTION, error.message)
    return _requeue(claimed, retry_count=claimed.retry_count + 1, next_attempt_at=now + wait, error=reason)


def defer(row: ExecutionRow, now: int, first: float, seed: int) -> ExecutionRow:
    """The execution, put off because there was no room; `first` is the first wait in seconds, `seed` spreads them."""
    grown = first * 2 ** min(row.deferral_count, _DOUBLINGS)
    wait = round(grown * (0.5 + seed / _SEEDS / 2) * _MICROS)
    return _requeue(row, deferral_count=row.deferral_count + 1, next_attempt_at=now + wait)


def _requeue(row: ExecutionRow, **more: int | ExecutionError) -> ExecutionRow:
    """The execution as it waits: nothing of the attempt is told of it any more, but for what `more` says."""
    waiting = msgspec.structs.replace(
        row,
        state=ExecutionState.QUEUED,
        started_at=None,
        ended_at=None,
        phases_completed=0,
        status_counts={},
        tables=(),
    )
    return msgspec.structs.replace(waiting, **more)

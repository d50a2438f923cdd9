"""How a cancel is answered: a pure rule over where an execution stands, of which DESIGN section 7 names the states.

Knows no process, no database: whoever asks brings the state as it is this moment, live where the execution runs.
"""

from enum import StrEnum

from sheetgrpc.session.model import ExecutionState


class CancelOutcome(StrEnum):
    """What a cancel came to, judged by the execution's state alone."""

    CANCELLED_BEFORE_START = "CANCELLED_BEFORE_START"
    """It was queued; it is CANCELLED now and never runs."""
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    """It runs and is being stopped: it ends CANCELLED, or INTERRUPTED if its process dies first."""
    ALREADY_CANCELLING = "ALREADY_CANCELLING"
    """Another cancel was first and is still at work."""
    TOO_LATE_COMMITTING = "TOO_LATE_COMMITTING"
    """Its statements are over and the outcome is being written; nothing stops it any more."""
    ALREADY_FINISHED = "ALREADY_FINISHED"
    """It had ended, however."""


def judge(state: ExecutionState, *, decided: bool) -> CancelOutcome:
    """The answer to a cancel now. `decided`: the run knows how it ends and is writing it, whatever it is."""
    if state.terminal:
        return CancelOutcome.ALREADY_FINISHED
    if state is ExecutionState.CANCELLING:
        return CancelOutcome.ALREADY_CANCELLING
    if decided or state is ExecutionState.COMMITTING:
        return CancelOutcome.TOO_LATE_COMMITTING
    if state is ExecutionState.QUEUED:
        return CancelOutcome.CANCELLED_BEFORE_START
    return CancelOutcome.CANCEL_REQUESTED

"""The whole rule of a cancel: every state of an execution, decided or not."""

from itertools import product

import pytest

from sheetgrpc.session.cancelling import CancelOutcome, judge
from sheetgrpc.session.model import ExecutionState

OPEN = {
    ExecutionState.QUEUED: CancelOutcome.CANCELLED_BEFORE_START,
    ExecutionState.RUNNING: CancelOutcome.CANCEL_REQUESTED,
    ExecutionState.CANCELLING: CancelOutcome.ALREADY_CANCELLING,
    ExecutionState.COMMITTING: CancelOutcome.TOO_LATE_COMMITTING,
}


@pytest.mark.parametrize("state", ExecutionState)
def test_a_cancel_is_judged_by_the_state_of_the_execution(state: ExecutionState) -> None:
    """C-R24, C-R25, C-R26, C-R29."""
    assert judge(state, decided=False) is OPEN.get(state, CancelOutcome.ALREADY_FINISHED)
    assert state.terminal is (state not in OPEN)


@pytest.mark.parametrize(("state", "decided"), list(product(ExecutionState, [False, True])))
def test_what_is_decided_is_never_asked_to_stop(state: ExecutionState, decided: bool) -> None:
    asked = judge(state, decided=decided) is CancelOutcome.CANCEL_REQUESTED
    assert asked is (state is ExecutionState.RUNNING and not decided)


def test_a_cancel_that_is_being_recorded_is_told_as_such() -> None:
    assert judge(ExecutionState.CANCELLING, decided=True) is CancelOutcome.ALREADY_CANCELLING

"""Executions that this process has put off, as they wait.

That is more than is stored, for a deferral is written with the next claim only. Knows neither queue nor store.
"""

import msgspec

from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.records import ExecutionRow


class Waits:
    """How often, and until when, by execution."""

    def __init__(self) -> None:
        self._rows: dict[str, ExecutionRow] = {}

    def put_off(self, execution: ExecutionRow) -> None:
        """It waits like this."""
        self._rows[execution.id] = execution

    def forget(self, execution_id: str) -> None:
        """It waits no more, or not by what is known here."""
        self._rows.pop(execution_id, None)

    def overlay(self, execution: ExecutionRow) -> ExecutionRow:
        """The stored row with what is known better here, as long as it is of the same attempt."""
        known = self._rows.get(execution.id)
        if known is None or execution.state is not ExecutionState.QUEUED or known.epoch != execution.epoch:
            return execution
        if known.deferral_count < execution.deferral_count:
            return execution
        return msgspec.structs.replace(
            execution, deferral_count=known.deferral_count, next_attempt_at=known.next_attempt_at
        )

"""Executions as a client has them: watched, cancelled, read, listed. They are begun by a session (session.py)."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Unpack

from sheetgrpc.client.calls import Caller, Changing, Creating, Reading
from sheetgrpc.client.pages import PAGE_SIZE, pages
from sheetgrpc.client.streams import ExecutionStream
from sheetgrpc.client.stubs import Stubs
from sheetgrpc.client.words import RunState, Status, write_time
from sheetgrpc.v1.execution_pb2 import Execution, ExecutionState, Receipt
from sheetgrpc.v1.execution_service_pb2 import (
    CancelExecutionRequest,
    CancelExecutionResponse,
    GetExecutionRequest,
    ListExecutionsRequest,
    ListReceiptsRequest,
    ListStatementResultsRequest,
    ReplayExecutionRequest,
    ReplayExecutionResponse,
    WatchExecutionRequest,
)
from sheetgrpc.v1.statement_pb2 import StatementStatus
from sheetgrpc.v1.statement_result_pb2 import StatementResult


class Executions:
    """Executions: watched, cancelled, read, listed."""

    def __init__(self, caller: Caller, stubs: Stubs, *, silence: float) -> None:
        self._caller = caller
        self._stubs = stubs
        self._silence = silence

    async def get(self, execution: str, **options: Unpack[Reading]) -> Execution:
        """One execution as it is now."""
        request = GetExecutionRequest(execution=execution)
        return (await self._caller.read(self._stubs.executions.GetExecution, request, options)).execution

    async def cancel(
        self, execution: str, *, wait: timedelta | None = None, **options: Unpack[Creating]
    ) -> CancelExecutionResponse:
        """Stop an execution; its `outcome` says what that came to, and is no error whatever it is.

        With `wait` the answer comes with the execution's end, or when that time is over; a deadline counts on top.
        """
        request = CancelExecutionRequest(execution=execution)
        if wait is not None:
            request.wait.FromTimedelta(wait)
            options["deadline"] = options.get("deadline", self._caller.deadline) + wait.total_seconds()
        return (await self._caller.command(self._stubs.executions.CancelExecution, request, options)).response

    async def replay(self, execution: str, *, confirm: bool, **options: Unpack[Changing]) -> ReplayExecutionResponse:
        """Submit once more what an execution ran that has ended and committed nothing; `confirm` must be true."""
        expected = options.get("expected_version")
        request = ReplayExecutionRequest(execution=execution, confirm=confirm, expected_version=expected)
        return (await self._caller.command(self._stubs.executions.ReplayExecution, request, options)).response

    def receipts(
        self, execution: str, *, page_size: int = PAGE_SIZE, **options: Unpack[Reading]
    ) -> AsyncIterator[Receipt]:
        """What became of an execution's attempts, first to last."""
        request = ListReceiptsRequest(execution=execution, page_size=page_size)

        async def fetch(token: str) -> tuple[Sequence[Receipt], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.executions.ListReceipts, request, options)
            return answer.receipts, answer.next_page_token

        return pages(fetch)

    def watch(self, execution: str, *, resume_token: str = "", include_results: bool = False) -> ExecutionStream:
        """The updates of an execution, from its snapshot or from where a token left off."""
        return ExecutionStream(
            start=None,
            resume=lambda known, token: self._stubs.executions.WatchExecution(
                WatchExecutionRequest(execution=known, resume_token=token, include_results=include_results)
            ),
            retry=self._caller.retry,
            silence=self._silence,
            execution_id=execution,
            resume_token=resume_token,
        )

    def list(
        self,
        *,
        session: str = "",
        states: Sequence[RunState] = (),
        submitted_after: datetime | None = None,
        submitted_before: datetime | None = None,
        dead_letters_only: bool = False,
        replay_of: str = "",
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[Execution]:
        """Executions that match every filter given, newest first.

        `submitted_after` lets through what was submitted then or later, `submitted_before` what was submitted before
        it; without a time zone they are in UTC. Dead letters are those that FAILED and that nobody has replayed.
        """
        request = ListExecutionsRequest(
            session=session,
            states=[ExecutionState.Value(f"EXECUTION_STATE_{state}") for state in states],
            submitted_after=write_time(submitted_after),
            submitted_before=write_time(submitted_before),
            dead_letters_only=dead_letters_only,
            replay_of=replay_of,
            page_size=page_size,
        )

        async def fetch(token: str) -> tuple[Sequence[Execution], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.executions.ListExecutions, request, options)
            return answer.executions, answer.next_page_token

        return pages(fetch)

    def results(
        self,
        execution: str,
        *,
        statuses: Sequence[Status] = (),
        page_size: int = PAGE_SIZE,
        **options: Unpack[Reading],
    ) -> AsyncIterator[StatementResult]:
        """What became of each statement, by index; nothing before the execution has ended."""
        request = ListStatementResultsRequest(
            execution=execution,
            statuses=[StatementStatus.Value(f"STATEMENT_STATUS_{status}") for status in statuses],
            page_size=page_size,
        )

        async def fetch(token: str) -> tuple[Sequence[StatementResult], str]:
            request.page_token = token
            answer = await self._caller.read(self._stubs.executions.ListStatementResults, request, options)
            return answer.results, answer.next_page_token

        return pages(fetch)

"""Runs executions: one at a time, oldest first, each in the four transactions of DESIGN section 7.

    submit (the caller's command) -> claim -> the run -> only if that rolled back: the record of what happened

Everything that can be done before the write transaction begins is done before it: plan, keys. Inside are batches, one
trip to the database for many, and never an await a statement.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TypeVar

import msgspec
import structlog

from sheetgrpc.engine import endings
from sheetgrpc.engine.attempt import Attempt
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.ownership import Ownership
from sheetgrpc.engine.runs import Cancel, Run
from sheetgrpc.errors import NotFound, Reason, SheetError, Unavailable
from sheetgrpc.planning.model import ErrorCode, Plan, Results
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.base import Transaction
from sheetgrpc.store.records import Changes, ExecutionFilter, ExecutionRow

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 0.5
_PAGE = 500
_CHOICE = 4  # of the queue's first, where others may be quicker
_BUSY = frozenset({Reason.STORE_BUSY})
_AWAY = frozenset({Reason.STORE_BUSY, Reason.STORE_UNAVAILABLE, Reason.OUTCOME_UNKNOWN})
T = TypeVar("T")


class Executor:
    """The one who runs."""

    def __init__(self, context: Context, ownership: Ownership) -> None:
        self._context = context
        self._ownership = ownership
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._attempt: Attempt | None = None  # the one under way

    async def recover(self) -> None:
        """At start, before anybody is served: what ran is INTERRUPTED, what waited waits again.

        Where servers share a database, what ran may run elsewhere: see takeover.py.
        """
        if self._context.runs.shared:
            return
        for row in await self._unfinished(ExecutionState.RUNNING):
            await self._end(row, endings.interrupted(row, self._now()), None, None)
            log.warning("execution.interrupted", execution=row.id)
        for row in await self._unfinished(ExecutionState.QUEUED):
            self._context.runs.queue(row)

    def start(self) -> None:
        """Begins to run what is queued."""
        self._task = asyncio.create_task(self._work(), name="executor")

    async def stop(self, grace: float | None = None) -> None:
        """Lets the run under way end, then stops; what is queued stays queued.

        A run that has not ended after `grace` seconds is rolled back and INTERRUPTED.
        """
        self.drain()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=grace)
            self.halt()
            await self._task

    def drain(self) -> None:
        """Begins no more runs."""
        self._stopping.set()

    def halt(self) -> None:
        """Ends the run under way, if any, where it is."""
        if self._attempt is not None:
            self._attempt.halt()

    async def _work(self) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        while not self._stopping.is_set():
            waiting = asyncio.create_task(self._context.runs.pending.get())
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
                break
            for execution_id in await self._choose(waiting.result()):
                if not self._stopping.is_set() and await self._run_one(execution_id):
                    break
        stopping.cancel()

    async def _choose(self, hinted: str) -> list[str]:
        """What to try to run, in order. Where others run from the same queue, the table says; the hint only when."""
        runs = self._context.runs
        if not runs.shared:
            return [hinted]
        try:
            found = [row.id for row in await self._context.store.waiting(_CHOICE)]
        except SheetError as error:  # there will be another hint
            log.warning("queue.unread", reason=error.reason.value)
            return []
        if len(found) > 1 and runs.pending.empty():
            runs.pending.put_nowait("")  # after this one, look again
        return found

    async def _run_one(self, execution_id: str) -> bool:
        """True if it was run here."""
        try:
            return await self._run(execution_id)
        except Exception:  # one broken run must not end the queue; it is logged, and recovered at start
            log.exception("execution.left", execution=execution_id)
            self._leave(execution_id)
            return True
        finally:
            self._attempt = None

    async def _unfinished(self, state: ExecutionState) -> list[ExecutionRow]:
        """Oldest first."""
        found: list[ExecutionRow] = []
        before: tuple[int, str] | None = None
        while True:
            page = await self._context.store.executions(ExecutionFilter(states=(state.value,)), _PAGE, before)
            found += page
            if len(page) < _PAGE:
                return found[::-1]
            before = page[-1].submitted_at, page[-1].id

    async def _run(self, execution_id: str) -> bool:
        runs = self._context.runs
        claimed = await self._claim(execution_id) if runs.shared or runs.get(execution_id) is not None else None
        if claimed is None:
            if not runs.shared:
                runs.remove(execution_id)
            return False
        run = self._ownership.own(claimed)
        attempt = self._attempt = Attempt(self._context, run, claimed)
        ended = await self._try(attempt, run)
        if run.cancel is not None:  # asked before it was decided, so whatever else stopped it: that is how it ends
            ended = attempt.cancelled(run.cancel)
        run.decided = True
        if not ended.state.committed:
            ended = await self._conclude(claimed, ended, attempt)
        if ended.state.terminal:
            run.finish(ended)
            self._context.runs.remove(execution_id)
        run.here = run.here and ended.state.terminal  # else another server has it by now
        self._ownership.disown(run)
        self._context.replies.settle(execution_id)
        log.info("execution.finished", execution=execution_id, state=ended.state.value)
        return True

    def _leave(self, execution_id: str) -> None:
        """Forgets a run whose end could not be stored."""
        run = self._context.runs.get(execution_id)
        if run is not None:
            run.leave()
            self._ownership.disown(run)
        self._context.runs.remove(execution_id)
        self._context.replies.settle(execution_id)

    async def _try(self, attempt: Attempt, run: Run) -> ExecutionRow:
        """How it ended. Whatever goes wrong is the execution's end and no more than that."""
        execution_id = run.execution.id
        try:
            await _until(run.asked, attempt.prepare())
            if run.cancel is not None:
                return attempt.cancelled(run.cancel)
            return await self._patiently(attempt.write, _BUSY, run.asked)
        except SheetError as error:
            if run.cancel is not None:
                return attempt.cancelled(run.cancel)
            log.warning("execution.failed", execution=execution_id, reason=error.reason.value)
            code = ErrorCode.DB_CONNECTION if isinstance(error, Unavailable) else ErrorCode.ENTITY_NOT_FOUND
            return attempt.fail(code, error.message)
        except Exception:  # a bug, or a table that we do not understand
            log.exception("execution.broken", execution=execution_id)
            return attempt.fail(ErrorCode.INTERNAL, "the server could not run the sheet; everything was rolled back")

    async def _claim(self, execution_id: str) -> ExecutionRow | None:
        async def claim(transaction: Transaction) -> ExecutionRow | None:
            try:
                row = await self._context.store.execution(execution_id)
            except NotFound:  # its submit failed at the commit, and nothing of it is there
                return None
            if row.state is not ExecutionState.QUEUED:
                return None
            claimed = msgspec.structs.replace(
                row,
                state=ExecutionState.RUNNING,
                epoch=row.epoch + 1,
                started_at=self._now(),
                owner=self._ownership.replica,
            )
            opened = await transaction.open(row.session_id, None)
            if opened.row is None or not await transaction.claim(row):
                return None
            await transaction.commit(Changes(session=opened.row.session, events=(), execution=claimed))
            return claimed

        return await self._patiently(claim, _AWAY)

    async def _conclude(self, claimed: ExecutionRow, ended: ExecutionRow, attempt: Attempt) -> ExecutionRow:
        """The fourth transaction; without the statements' results where these cannot be written."""
        try:
            return await self._end(claimed, ended, attempt.plan, attempt.results)
        except SheetError:
            raise
        except Exception:
            log.exception("execution.unrecorded", execution=claimed.id)
            return await self._end(claimed, ended, None, None)

    async def _end(
        self, claimed: ExecutionRow, ended: ExecutionRow, plan: Plan | None, results: Results | None
    ) -> ExecutionRow:
        """The fourth transaction: what became of a run that left nothing behind."""

        async def end(transaction: Transaction) -> ExecutionRow:
            opened = await transaction.open(claimed.session_id, None)
            held = await transaction.hold(claimed) if opened.row is not None else None
            if opened.row is None or held is None:
                return await self._context.store.execution(claimed.id)
            final = ended
            if held.cancelled_at is not None and ended.state is not ExecutionState.CANCELLED:
                final = endings.cancelled(ended, Cancel(held.cancelled_by, held.cancelled_at))
            if plan is not None and results is not None:
                await transaction.record(final, plan, results)
            changes = endings.outcome(self._context, opened.row.session, final)
            changes.replies = self._context.replies.of(final.id)
            await transaction.commit(changes)
            self._context.replies.forget(changes.replies)
            self._context.topics.publish(changes)
            return final

        return await self._patiently(end, _AWAY)

    async def _patiently(
        self,
        function: Callable[[Transaction], Awaitable[T]],
        through: frozenset[Reason],
        asked: asyncio.Event | None = None,
    ) -> T:
        """Calls with the writer. A run has no caller to answer, so it waits through these, unless the server stops.

        `asked`: nor is it called again once this is set.
        """
        asked = asked or asyncio.Event()
        while True:
            try:
                async with self._context.store.begin() as transaction:
                    return await function(transaction)
            except SheetError as error:
                if error.reason not in through or self._stopping.is_set() or asked.is_set():
                    raise
            with suppress(TimeoutError):
                async with asyncio.timeout(_RETRY_SECONDS):
                    await asked.wait()

    def _now(self) -> int:
        return self._context.draws.draw().now


async def _until(asked: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Does the work, or breaks it off once this is set."""
    doing, waiting = asyncio.create_task(work), asyncio.create_task(asked.wait())
    try:
        await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        doing.cancel()
        await asyncio.wait({doing, waiting})
    if not doing.cancelled():
        doing.result()

"""One attempt from its claim to its end: run, and conclude what did not commit itself.

    claim -> the run -> only if that rolled back: its end, or the way back into the queue

Each is a transaction that changes the execution by compare and set on state and epoch; the epoch names the attempt, so
that whoever comes late with one that is over changes nothing, and says so in the log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TypeVar

import msgspec
import structlog

from sheetgrpc.engine import dry_runs, endings, retrying
from sheetgrpc.engine.attempt import Attempt
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.retrying import Verdict
from sheetgrpc.engine.runs import Cancel, Run
from sheetgrpc.errors import Conflict, Reason, SheetError, Unavailable
from sheetgrpc.planning.model import ErrorCode
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.base import Transaction
from sheetgrpc.store.records import Changes, ExecutionRow

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 0.5
_AWAY = frozenset({Reason.STORE_BUSY, Reason.STORE_UNAVAILABLE, Reason.OUTCOME_UNKNOWN})
T = TypeVar("T")


class Runner:
    """Claims executions and takes them to the end of an attempt. Knows no queue."""

    def __init__(self, context: Context, stopping: asyncio.Event) -> None:
        """Once `stopping` is set, nothing waits for a database that is away."""
        self._context = context
        self._stopping = stopping
        self._replica = context.store.leases.replica if context.store.leases is not None else ""

    async def claim(self, row: ExecutionRow) -> ExecutionRow | None:
        """The execution, RUNNING under another epoch; None where it is not to be had any more, or not now.

        Raises Unavailable.
        """
        claimed = msgspec.structs.replace(
            row,
            state=ExecutionState.RUNNING,
            epoch=row.epoch + 1,
            started_at=self._now(),
            trusted_modules=self._context.handlers.current(row.trusted_modules),
            replica=self._replica,
            next_attempt_at=None,
            error=None,
        )
        try:
            async with self._context.store.begin() as transaction:
                opened = await transaction.open(row.session_id, None)
                if opened.row is None or not await transaction.claim(row):
                    return None
                changes = Changes(session=opened.row.session, events=(), execution=claimed, moved_from=row)
                await transaction.commit(changes)
        except Conflict:  # somebody was quicker, or the queue was paused this moment
            return None
        except Unavailable as error:
            if error.reason is not Reason.OUTCOME_UNKNOWN:
                raise
            return claimed if await self._is_claimed(claimed) else None
        return claimed

    async def run(self, attempt: Attempt, run: Run, claimed: ExecutionRow) -> ExecutionRow:
        """The execution as this attempt left it; as somebody else did, where this one had come too late."""
        ended = await self._try(attempt, run, claimed)
        if run.cancel is not None:  # asked before it was decided, so whatever else stopped it: that is how it ends
            ended = attempt.cancelled(run.cancel)
        if ended.committed:
            return ended
        return await self._conclude(claimed, ended, attempt, run)

    async def end(self, claimed: ExecutionRow, ended: ExecutionRow, attempt: Attempt | None = None) -> ExecutionRow:
        """Writes how an execution ended that left nothing behind, and what its statements read, where that is known.

        Patiently, unless the server stops. Answers what is there if the attempt is not the current one any more.
        """

        async def end(transaction: Transaction) -> ExecutionRow:
            return await self._write_end(transaction, claimed, ended, attempt)

        return await self._patiently(end)

    async def _try(self, attempt: Attempt, run: Run, claimed: ExecutionRow) -> ExecutionRow:
        """How it ended, or that it waits again. Whatever goes wrong is the execution's end and no more than that."""
        try:
            await _until(run.asked, attempt.prepare())
            if run.cancel is not None:
                return attempt.cancelled(run.cancel)
            async with self._context.store.begin() as transaction:
                return await attempt.write(transaction)
        except SheetError as error:
            if run.cancel is not None:
                return attempt.cancelled(run.cancel)
            return self._after(error, attempt, claimed)
        except Exception:  # a bug, or a table that we do not understand
            log.exception("execution.broken", execution=claimed.id)
            return attempt.fail(ErrorCode.INTERNAL, "the server could not run the sheet; everything was rolled back")

    def _after(self, error: SheetError, attempt: Attempt, claimed: ExecutionRow) -> ExecutionRow:
        """What follows a refusal of the store."""
        settings, draw = self._context.settings, self._context.draws.draw()
        verdict = retrying.judge(error, begun=attempt.begun)
        again = None
        if verdict is Verdict.DEFER:
            again = retrying.defer(claimed, draw.now, settings.deferral_delay, draw.seed)
        elif verdict is Verdict.RETRY:
            again = retrying.retry(claimed, error, draw.now, settings.retry_delays)
        log.warning(
            "execution.failed" if again is None else "execution.requeued",
            execution=claimed.id,
            epoch=claimed.epoch,
            reason=error.reason.value,
            verdict=verdict.name,
        )
        if again is not None:
            return again
        retries = f"; given up after {claimed.retry_count} retries" if verdict is Verdict.RETRY else ""
        code = ErrorCode.DB_CONNECTION if isinstance(error, Unavailable) else ErrorCode.ENTITY_NOT_FOUND
        return attempt.fail(code, error.message + retries)

    async def _conclude(self, claimed: ExecutionRow, ended: ExecutionRow, attempt: Attempt, run: Run) -> ExecutionRow:
        """The last transaction; without the statements' results where these cannot be written."""
        if ended.state is ExecutionState.QUEUED:
            ended = await self._put_back(claimed, ended, attempt, run)
            if ended.state is not ExecutionState.CANCELLED:
                return ended
        run.decided = True
        try:
            return await self.end(claimed, await self._explain(claimed, ended, attempt), attempt)
        except SheetError:
            raise
        except Exception:
            log.exception("execution.unrecorded", execution=claimed.id)
            return await self.end(claimed, ended)

    async def _explain(self, claimed: ExecutionRow, ended: ExecutionRow, attempt: Attempt) -> ExecutionRow:
        """The end with what has changed since the plan, if it is stale; where that cannot be read, that it is."""
        if attempt.recorded is not None and endings.is_stale(ended):
            with suppress(SheetError):
                error = await dry_runs.explain(self._context, claimed, attempt.recorded)
                return msgspec.structs.replace(ended, error=error)
        return ended

    async def _put_back(self, claimed: ExecutionRow, again: ExecutionRow, attempt: Attempt, run: Run) -> ExecutionRow:
        """Back into the queue; or its end as cancelled, still to be written, where that is asked until then.

        A cancel that arrives during the commit waits for it, and finds the execution queued (`run.moving`).
        """

        async def put_back(transaction: Transaction) -> ExecutionRow:
            opened = await transaction.open(claimed.session_id, None)
            held = await transaction.hold(claimed) if opened.row is not None else None
            if opened.row is None or held is None:
                return await self._context.store.execution(claimed.id)
            if held.cancelled_at is not None and run.cancel is None:
                run.cancel = Cancel(held.cancelled_by, held.cancelled_at)
            if run.cancel is not None:
                return attempt.cancelled(run.cancel)
            changes = Changes(session=opened.row.session, events=(), execution=again, moved_from=claimed)
            changes.phases_reached = attempt.phases
            run.moving = True  # until the run itself is told, or nothing has come of it
            try:
                await transaction.commit(changes)
            except SheetError as error:
                run.moving = error.reason is Reason.OUTCOME_UNKNOWN
                raise
            return again

        return await self._patiently(put_back)

    async def _write_end(
        self, transaction: Transaction, claimed: ExecutionRow, ended: ExecutionRow, attempt: Attempt | None
    ) -> ExecutionRow:
        context = self._context
        opened = await transaction.open(claimed.session_id, None)
        held = await transaction.hold(claimed) if opened.row is not None else None
        if opened.row is None or held is None:
            return await context.store.execution(claimed.id)
        if held.cancelled_at is not None and ended.state is not ExecutionState.CANCELLED:
            ended = endings.cancelled(ended, Cancel(held.cancelled_by, held.cancelled_at))
        if attempt is not None and attempt.plan is not None and attempt.results is not None:
            await transaction.record(ended, attempt.plan, attempt.results)
            if attempt.recorded is not None and ended.state.committed:
                await transaction.record_effects(ended, attempt.recorded.pieces)
        changes = endings.outcome(context, opened.row.session, ended, claimed)
        changes.replies = context.replies.of(ended.id)
        await transaction.commit(changes)
        context.replies.forget(changes.replies)
        context.topics.publish(changes)
        return ended

    async def _is_claimed(self, claimed: ExecutionRow) -> bool:
        """Whether a claim took effect of whose commit nothing was heard."""

        async def look(_: Transaction) -> ExecutionRow:
            return await self._context.store.execution(claimed.id)

        row = await self._patiently(look)
        return (row.state, row.epoch, row.started_at) == (claimed.state, claimed.epoch, claimed.started_at)

    async def _patiently(self, function: Callable[[Transaction], Awaitable[T]]) -> T:
        """Calls with the writer. An end has nobody to answer, so it waits for the database, unless the server stops."""
        while True:
            try:
                async with self._context.store.begin() as transaction:
                    return await function(transaction)
            except SheetError as error:
                if error.reason not in _AWAY or self._stopping.is_set():
                    raise
            with suppress(TimeoutError):
                async with asyncio.timeout(_RETRY_SECONDS):
                    await self._stopping.wait()

    def _now(self) -> int:
        return self._context.draws.now()


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

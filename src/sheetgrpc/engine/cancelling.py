"""Cancels an execution, wherever it is on its way (the rule is session/cancelling.py's).

What is queued is ended in a transaction of the cancel's own. What runs is asked in memory and nothing is written: on
SQLite the run has the one writer, and its last transaction writes who cancelled it, when, and the answers given
(replies.py). An answer that waits for the end is made at the end; a repeat meanwhile waits for that same answer.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import msgspec

from sheetgrpc.engine import endings
from sheetgrpc.engine.closing import settle_all
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.expiring import Expiry
from sheetgrpc.engine.handling import replay, request_key, row_after
from sheetgrpc.engine.intents import CancelExecution, Envelope
from sheetgrpc.engine.runs import Cancel, Run, asked
from sheetgrpc.engine.views import CancelView, Reply
from sheetgrpc.errors import Conflict, Reason
from sheetgrpc.session.cancelling import CancelOutcome, judge
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.records import Changes, ExecutionRow, RequestKey, SessionRow, StoredReply

_ATTEMPTS = 4  # queued, claimed, left behind, over: an execution moves no more often
_MICROS = 1_000_000
_WRITTEN_SECONDS = 2.0  # what an answer waits for that is to be known to other servers

Encode = Callable[[CancelView], bytes]


class Canceller:
    """Takes cancels, each in a task of its own: a caller that goes away has cancelled all the same."""

    def __init__(self, context: Context, expiry: Expiry) -> None:
        self._context = context
        self._expiry = expiry
        self._tasks: set[asyncio.Task[Reply]] = set()
        self._underway: dict[RequestKey, asyncio.Task[Reply]] = {}

    async def cancel(self, envelope: Envelope, intent: CancelExecution, encode: Encode) -> Reply:
        """The answer to a cancel. Raises NotFound, Unavailable(STORE_BUSY) where a queued one cannot be ended now."""
        key = request_key(envelope)
        first = self._underway.get(key) if key is not None else None
        if first is not None:
            stored = (await asyncio.shield(first)).stored
            if stored is not None:
                return replay(stored, envelope)
        task = asyncio.create_task(self._cancel(envelope, key, intent, encode))
        self._tasks.add(task)
        if key is not None:
            self._underway[key] = task
        task.add_done_callback(partial(self._forget, key))
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Waits for every cancel under way; those that wait for a run end with it. Cancelled, breaks them off."""
        await settle_all(self._tasks)

    def _forget(self, key: RequestKey | None, task: asyncio.Task[Reply]) -> None:
        self._tasks.discard(task)
        if key is not None and self._underway.get(key) is task:
            del self._underway[key]
        if not task.cancelled():
            task.exception()  # taken, even if the caller is gone

    async def _cancel(
        self, envelope: Envelope, key: RequestKey | None, intent: CancelExecution, encode: Encode
    ) -> Reply:
        store, runs = self._context.store, self._context.runs
        if key is not None:
            stored = self._context.replies.find(key) or await store.reply(key)
            if stored is not None:
                return replay(stored, envelope)
        for _ in range(_ATTEMPTS):
            row = await store.execution(intent.execution, envelope.caller)
            session = await self._expiry.settle_if_possible(await store.session(row.session_id))
            # No await from here until the run is asked: what is judged is what is asked.
            run = runs.here(row.id)
            if run is not None and run.moving:
                await run.moved()
                continue
            if run is not None and _is_stale(row, run):
                continue
            outcome = _judge(row, run)
            if outcome is CancelOutcome.CANCEL_REQUESTED and run is None and self._is_elsewhere(row):
                reply = await self._ask(envelope, key, intent, row, encode)
                if reply is not None:
                    return reply
                continue
            if not _ends_here(outcome, run):
                if outcome is CancelOutcome.CANCEL_REQUESTED and run is not None:
                    run.ask(self._now(envelope))
                if intent.wait and (run is not None or (runs.shared and not row.state.terminal)):
                    await self._wait(runs.adopt(row), intent.wait)
                    row, session = await store.execution(row.id), await store.session(row.session_id)
                return await self._answer(envelope, key, outcome, row, session, encode)
            reply = await self._end(envelope, key, outcome, row, encode)
            if reply is not None:
                return reply
        raise Conflict(Reason.CONFLICT, "the execution keeps moving under this cancel; send it again")

    async def _ask(
        self, envelope: Envelope, key: RequestKey | None, intent: CancelExecution, row: ExecutionRow, encode: Encode
    ) -> Reply | None:
        """Asks the server that runs it, by way of the database; None where it moved on or another was first."""
        context, cancel, outcome = self._context, self._now(envelope), CancelOutcome.CANCEL_REQUESTED
        row = msgspec.structs.replace(row, cancelled_by=cancel.by, cancelled_at=cancel.at)
        run = context.runs.adopt(row) if intent.wait else None
        async with context.store.begin() as transaction:
            opened = await transaction.open(row.session_id, key)
            if opened.reply is not None:
                return replay(opened.reply, envelope)
            if opened.row is None or not await transaction.ask(row, cancel.by, cancel.at):
                return None
            changes = Changes(session=opened.row.session, events=())
            body = encode(CancelView(outcome, context.runs.overlay(row), context.view(opened.row)))
            changes.reply = self._stored(envelope, key, body, row) if run is None else None
            await transaction.commit(changes)
        if context.store.leases is not None:
            context.store.leases.hint(f"c:{row.id}")
        if run is None:
            return Reply(body, changes.reply, replayed=False)
        await self._wait(run, intent.wait)
        session = await context.store.session(row.session_id)
        return await self._answer(envelope, key, outcome, await context.store.execution(row.id), session, encode)

    def _is_elsewhere(self, row: ExecutionRow) -> bool:
        """True where another server has claimed it. One of this server's that nobody runs is ended here."""
        leases = self._context.store.leases
        return leases is not None and row.replica != leases.replica

    async def _wait(self, run: Run, micros: int) -> None:
        """Waits for its end at most so long."""
        if not run.over:
            with run.watched():
                await run.ended(micros / _MICROS)

    async def _answer(
        self,
        envelope: Envelope,
        key: RequestKey | None,
        outcome: CancelOutcome,
        row: ExecutionRow,
        session: SessionRow,
        encode: Encode,
    ) -> Reply:
        """An answer for which nothing is written with what it tells; see replies.py."""
        context = self._context
        body = encode(CancelView(outcome, context.runs.overlay(row), context.view(session)))
        stored = self._stored(envelope, key, body, row)
        if stored is not None:
            context.replies.keep(stored)
            if context.runs.here(row.id) is None:
                context.replies.settle(row.id)
                if context.runs.shared:  # a repeat may come to another server the next moment
                    await context.replies.written(_WRITTEN_SECONDS)
        return Reply(body, stored, replayed=False)

    async def _end(
        self, envelope: Envelope, key: RequestKey | None, outcome: CancelOutcome, row: ExecutionRow, encode: Encode
    ) -> Reply | None:
        """Ends what nobody runs; None if somebody does by now, or it is over."""
        context = self._context
        async with context.store.begin() as transaction:
            opened = await transaction.open(row.session_id, None)
            if opened.row is None or not await transaction.claim(row):
                return None
            cancel = self._now(envelope)
            ended = endings.cancelled_before_start(row, cancel, cancel.at)
            changes = endings.outcome(context, opened.row.session, ended, row)
            after = row_after(opened.row, changes, cancel.at)
            body = encode(CancelView(outcome, ended, context.view(after)))
            changes.reply = self._stored(envelope, key, body, row)
            await transaction.commit(changes)
        context.topics.publish(changes)
        run = context.runs.get(row.id)
        if run is not None:
            run.finish(ended)
            context.runs.remove(row.id)
        return Reply(body, changes.reply, replayed=False)

    def _stored(self, envelope: Envelope, key: RequestKey | None, body: bytes, row: ExecutionRow) -> StoredReply | None:
        if key is None:
            return None
        expires = self._context.draws.now() + self._context.settings.request_id_ttl_us
        return StoredReply(key, envelope.fingerprint, body, row.session_id, expires, row.id)

    def _now(self, envelope: Envelope) -> Cancel:
        return Cancel(envelope.caller, self._context.draws.now())


def _ends_here(outcome: CancelOutcome, run: Run | None) -> bool:
    """True where the cancel itself ends the execution: it is queued, or claimed and nobody runs it.

    The latter is what a run leaves whose end could not be stored. With more than one process it may also run in
    another: that one then finds its claim gone, and nothing of it is committed.
    """
    if outcome is CancelOutcome.CANCELLED_BEFORE_START:
        return True
    return outcome is CancelOutcome.CANCEL_REQUESTED and run is None


def _is_stale(row: ExecutionRow, run: Run) -> bool:
    """True if the attempt of the row that was read is over: by now the execution waits for another."""
    waits = run.execution.state is ExecutionState.QUEUED and run.execution.epoch == row.epoch
    return waits and row.state is ExecutionState.RUNNING


def _judge(row: ExecutionRow, run: Run | None) -> CancelOutcome:
    """By the stored row, or what this process knows better of it."""
    if run is None or row.state.terminal:
        return judge(asked(row).state, decided=False)
    state = run.live.state
    if state is ExecutionState.QUEUED:  # the claim is through, and the run hears of it in a moment
        state = row.state
    return judge(state, decided=run.decided)

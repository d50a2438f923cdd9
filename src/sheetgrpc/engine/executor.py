"""Runs executions: as many at once as there are slots, the first in the queue first (DESIGN section 7).

    submit (the caller's command) -> claim -> the run -> only if that rolled back: the record of what happened

Which is first is queueing.py's, one attempt running.py's; here is who gets a slot, and how the process begins and ends.
"""

import asyncio

import msgspec
import structlog

from sheetgrpc.engine import endings, retrying
from sheetgrpc.engine.attempt import Attempt
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.ownership import Ownership
from sheetgrpc.engine.queueing import Queue
from sheetgrpc.engine.running import Runner
from sheetgrpc.engine.runs import Run
from sheetgrpc.errors import Reason, SheetError, Unavailable
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.records import ExecutionFilter, ExecutionRow

log = structlog.get_logger(__name__)

_PAGE = 500
_SPARE = 2  # connections that commands find while every slot is taken


class Executor:
    """The one who runs."""

    def __init__(self, context: Context, ownership: Ownership) -> None:
        self._context = context
        self._ownership = ownership
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._halted = False
        self._queue = Queue(context)
        self._runner = Runner(context, self._stopping)
        self._attempts: dict[str, Attempt] = {}  # those under way, by execution
        self._running: set[asyncio.Task[None]] = set()
        self.slots = _slots(context)

    async def recover(self) -> None:
        """At start, before anybody is served: what ran is INTERRUPTED, what waited waits again.

        Where servers share a database, what ran may run elsewhere: see takeover.py.
        """
        for row in [] if self._context.runs.shared else await self._unfinished(ExecutionState.RUNNING):
            await self._runner.end(row, endings.interrupted(row, self._context.draws.now()))
            log.warning("execution.interrupted", execution=row.id)
        for row in await self._unfinished(ExecutionState.QUEUED):
            if row.next_attempt_at is not None:
                self._queue.put_off(row)

    def start(self) -> None:
        """Begins to run what is queued."""
        self._task = asyncio.create_task(self._work(), name="executor")

    async def stop(self, grace: float | None = None) -> None:
        """Lets the runs under way end, then stops; what is queued stays queued.

        Runs that have not ended after `grace` seconds, all of them together, are rolled back and INTERRUPTED.
        Cancelled, it does not wait for that either: the next start finds them, or another server.
        """
        self.drain()
        ending = asyncio.create_task(self._end())
        try:
            await asyncio.wait([ending], timeout=grace)
            self.halt()
            await ending
        except asyncio.CancelledError:
            for one in (ending, *self._running):
                one.cancel()
            raise

    def drain(self) -> None:
        """Begins no more runs."""
        self._stopping.set()

    def halt(self) -> None:
        """Ends the runs under way, if any, where they are; and one whose claim is under way, once it is."""
        self._halted = True
        for attempt in self._attempts.values():
            attempt.halt()

    async def _end(self) -> None:
        """Waits until nothing runs; what is being claimed still begins to."""
        if self._task is not None:
            await self._task
        while self._running:
            await asyncio.wait(self._running)

    async def _work(self) -> None:
        while not self._stopping.is_set():
            if not await self._step():
                await self._queue.wait(self._stopping)

    async def _step(self) -> bool:
        """Begins, or puts off, whoever is next; False where that is nobody, or there is no slot."""
        row = await self._queue.next() if len(self._running) < self.slots else None
        if row is None or self._stopping.is_set():
            return False
        await self._begin(row)
        return True

    async def _begin(self, row: ExecutionRow) -> None:
        """Claims an execution and runs it beside the others; or puts it off, where the database has no room for it."""
        run = self._ownership.reach(row)
        known = self._context.runs.waits.overlay(row)
        try:
            claimed = await self._runner.claim(known)
        except Unavailable as error:
            self._put_off(run, known, counts=error.reason is Reason.STORE_BUSY)
            return
        except Exception:  # one broken execution must not end the queue
            log.exception("execution.unclaimed", execution=row.id)
            self._put_off(run, known, counts=False)
            return
        self._queue.forget(row.id)
        if claimed is None:
            await self._let_go(row.id)
            return
        self._ownership.own(run, claimed)
        self._context.breakers.begin(row.id, (one.module for one in claimed.trusted_modules))
        attempt = self._attempts[row.id] = Attempt(self._context, run, claimed)
        if self._halted:
            attempt.halt()
        self._running.add(asyncio.create_task(self._run(attempt, run, claimed), name=f"run {row.id}"))

    def _put_off(self, run: Run, row: ExecutionRow, *, counts: bool) -> None:
        """It stays queued. Nothing can be written now: the next claim writes how often that was so."""
        draw = self._context.draws.draw()
        later = retrying.defer(row, draw.now, self._context.settings.deferral_delay, draw.seed)
        count = later.deferral_count if counts else row.deferral_count
        run.execution = msgspec.structs.replace(later, deferral_count=count)
        self._queue.put_off(run.execution)
        self._ownership.disown(run)

    async def _let_go(self, execution_id: str) -> None:
        """Forgets an execution that is not to be had, unless it only waits for the queue to be resumed."""
        run = self._context.runs.get(execution_id)
        if run is not None and self._context.runs.shared:
            self._ownership.disown(run)
            return
        try:
            row = await self._context.store.execution(execution_id)
        except SheetError:
            return
        if row.state is not ExecutionState.QUEUED:
            self._context.runs.remove(execution_id)

    async def _run(self, attempt: Attempt, run: Run, claimed: ExecutionRow) -> None:
        failed: frozenset[str] = frozenset()
        succeeded: frozenset[str] = frozenset()
        try:
            ended = await self._runner.run(attempt, run, claimed)
            self._settle(run, claimed, ended)
            failed, succeeded = endings.judge_modules(self._context.handlers, ended, attempt.plan, attempt.results)
        except (Exception, asyncio.CancelledError):  # one broken run must not end the queue; see `recover` and takeover
            log.exception("execution.left", execution=claimed.id)
            self._leave(claimed.id)
        finally:
            self._context.breakers.end(claimed.id, failed, succeeded)
            self._attempts.pop(claimed.id, None)
            self._running -= {asyncio.current_task()}
            self._context.runs.wake()  # a slot is free

    def _settle(self, run: Run, claimed: ExecutionRow, ended: ExecutionRow) -> None:
        """Tells how the attempt ended."""
        if ended.state.terminal:
            run.finish(ended)
            self._ownership.disown(run)
            self._context.runs.remove(ended.id)
            self._context.replies.settle(ended.id)
            log.info("execution.finished", execution=ended.id, state=ended.state.value, epoch=claimed.epoch)
        elif ended.state is ExecutionState.QUEUED and ended.epoch == claimed.epoch:
            run.requeue(ended)
            self._queue.put_off(ended)
            self._ownership.disown(run)
        else:  # somebody has claimed it since: what this attempt came to is of no account
            log.warning("execution.overtaken", execution=ended.id, epoch=claimed.epoch, current=ended.epoch)
            self._leave(ended.id)

    def _leave(self, execution_id: str) -> None:
        """Forgets a run whose end is not this server's to tell; or follows it, where others share the database.

        There another server has it by now, or will end it once its lease has lapsed.
        """
        run = self._context.runs.get(execution_id)
        if run is not None:
            self._ownership.disown(run)
            if not self._context.runs.shared or self._stopping.is_set():  # then nobody here follows for much longer
                run.leave()
                self._context.runs.remove(execution_id)
        self._context.replies.settle(execution_id)

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


def _slots(context: Context) -> int:
    """How many run at once. SQLite has one writer, and a run holds it: a second one would only wait for it, claimed."""
    settings = context.settings
    return min(settings.max_running, max(1, settings.pool_size - _SPARE)) if context.store.about.shared else 1

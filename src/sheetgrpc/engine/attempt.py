"""One attempt at an execution: everything up to, inside and at the end of its write transaction."""

import asyncio
import hashlib
from collections.abc import Sequence
from functools import partial

import msgspec

from sheetgrpc.catalog.model import KeySource, VerbKind
from sheetgrpc.dsl.diagnostics import Extent, Span
from sheetgrpc.dsl.source import Source
from sheetgrpc.engine import consent, dry_runs, endings
from sheetgrpc.engine.aside import STATEMENT, aside
from sheetgrpc.engine.budgets import Budget, OverBudget
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.runs import Cancel, Run
from sheetgrpc.engine.updates import PhaseCompleted
from sheetgrpc.engine.watchdog import Watchdog
from sheetgrpc.errors import NotAllowed, Reason
from sheetgrpc.planning.model import Analysis, ErrorCode, Key, Plan, Results, Status
from sheetgrpc.session.model import ExecutionState, Mode
from sheetgrpc.store.base import ConstraintViolated, Interrupted, Transaction
from sheetgrpc.store.records import ExecutionError, ExecutionRow, SheetRow, TableCounts

_TRIP_STATEMENTS = 2000  # statements a trip to the writer's thread: about 20 ms of SQL
_TRIP_BATCHES = 1000
_EARLY = 0.002  # seconds; timers of uvloop count whole milliseconds, so that they are early by one and a half at most


class Attempt:
    """Prepares, writes, and says how it ended. `plan` and `results` are there once prepared."""

    def __init__(self, context: Context, run: Run, execution: ExecutionRow) -> None:
        self.plan: Plan | None = None
        self.results: Results | None = None
        self.recorded: dry_runs.Recorded | None = None  # of a run that keeps its effects, once its statements are over
        self.begun = False  # its transaction was under way: what stops it then is no lack of room
        self.phases = 0  # that ended
        self._context = context
        self._run = run
        self._execution = execution
        self._analysis: Analysis | None = None
        self._sheet: SheetRow | None = None
        self._budget = Budget(context.catalog, execution)
        self._keys: list[Key | None] = []
        self._done = 0  # batches
        self._timed_out = False
        self._too_slow: int | None = None  # the statement that took longer than one may
        self._halted = False

    async def prepare(self) -> None:
        """The plan (kept since ParseSheet, or made again) and the keys of rows to come."""
        store = self._context.store
        row = await store.session(self._execution.session_id)
        if self._execution.dry_run and row.session.lifecycle.terminal:  # closed, and its server stopped before it knew
            self._run.ask(Cancel("", self._context.draws.now()))
        sheet = await store.sheet(self._execution.sheet_id)
        analysis = await self._context.analyse(sheet, row.session)
        plan = analysis.plan
        if plan is None or analysis.unresolved_count:
            self._context.analyst.forget(sheet.id)
            problem = analysis.diagnostics[0].message if analysis.diagnostics else "a name has lost its row"
            message = f"the sheet is not what was parsed any more: {problem}; parse it again"
            raise NotAllowed(Reason.ACTION_NOT_ALLOWED, message)
        self.plan = plan
        self._keys = await aside(plan.count * STATEMENT, self._draw_keys, plan)
        self._analysis, self._sheet = analysis, sheet
        trusted = self._context.handlers.of(group.verb for group in plan.groups)
        self._execution = msgspec.structs.replace(self._execution, trusted_modules=trusted)

    async def write(self, transaction: Transaction) -> ExecutionRow:
        """The run. What it answers is committed if its state says so; otherwise the transaction is rolled back."""
        plan = self.plan
        if plan is None:
            raise RuntimeError("prepare() comes first")
        self._done = self.phases = 0
        self._run.decided = False  # a try before this one may have come that far
        self.recorded, self._budget = None, Budget(self._context.catalog, self._execution)
        if self._run.cancel is not None:
            return await self._stopped()
        results = self.results = Results.fresh(plan.count)
        results.images = {} if self._execution.plans else None
        results.dry_run = self._execution.dry_run
        results.keys = self._keys.copy()  # of a try before this one, which found the writer busy, nothing may stay
        # The session itself is not opened yet: where it is locked for that, other commands must not wait for the run.
        if not await transaction.claim(self._execution):
            return await self._context.store.execution(self._execution.id)
        self._run.begin(self._execution, plan, results)
        self._run.break_off = partial(_break_off, transaction, results)
        timer, watchdog = self._set_timer(), self._set_watchdog(results)
        try:
            if self._is_told_to_stop():
                return await self._stopped()
            await transaction.recheck(plan, results)
            self.begun = True
            failed = await self._write_batches(transaction, plan, results)
            if self._execution.dry_run and not failed:
                await transaction.check_deferred()
            results.stop = False
        except Interrupted:
            return await self._stopped()
        except OverBudget as over:
            return self._undo(ExecutionState.FAILED, over.error)
        except ConstraintViolated:
            return self._broken()
        finally:
            self._run.break_off = None
            for one in (timer, watchdog):
                if one is not None:
                    one.cancel()
        if self._is_told_to_stop():
            return await self._stopped()
        self._run.decided = True  # from here on a cancel comes too late; nothing is awaited since the last look
        if failed and not self._keeps_partly(results):
            return self._undo(ExecutionState.ROLLED_BACK, await self._failure())
        if self._execution.plans:
            recorded = await self._record(plan, results)
            if self._execution.dry_run:
                return self._rehearsed(recorded, plan, results)
            if recorded.digest != self._execution.plan_digest:
                return self._undo(ExecutionState.FAILED, ExecutionError(ErrorCode.PLAN_STALE, "the plan is stale"))
        return await self._commit(transaction, plan, results, failed=failed)

    def halt(self) -> None:
        """Ends the run where it is, unless it commits already: the server stops."""
        self._halted = True
        if self._run.break_off is not None:
            self._run.break_off()

    def fail(self, code: str, message: str) -> ExecutionRow:
        """The end of a run that the infrastructure stopped."""
        return self._end(ExecutionState.FAILED, ExecutionError(code, message))

    def cancelled(self, cancel: Cancel) -> ExecutionRow:
        """The end of a run that was asked to stop, wherever it was."""
        message = "the execution was cancelled; everything was rolled back"
        ended = self._undo(ExecutionState.CANCELLED, ExecutionError(ErrorCode.CANCELLED, message))
        return msgspec.structs.replace(ended, cancelled_by=cancel.by, cancelled_at=cancel.at)

    def _is_told_to_stop(self) -> bool:
        stopped = self._halted or self._run.lost or self._run.cancel is not None
        return stopped or self._timed_out or self._too_slow is not None

    def _draw_keys(self, plan: Plan) -> list[Key | None]:
        """UUIDv7s (RFC 9562) for every row that may be created: this run's time and node bits, a counter between.

        All follow from the execution's id, epoch and start, so the same run draws the same keys.
        """
        name = f"{self._execution.id} {self._execution.epoch}".encode()
        node = hashlib.sha256(name).hexdigest()[:12]
        millisecond = (self._execution.started_at or 0) // 1000
        start = f"{millisecond >> 16 & 0xFFFFFFFF:08x}-{millisecond & 0xFFFF:04x}-7"
        verbs, entities = self._context.catalog.verbs, self._context.catalog.entities
        keys: list[Key | None] = [None] * plan.count
        for group in plan.groups:
            verb = verbs[group.verb]
            creates = verb.kind in (VerbKind.CREATE, VerbKind.ENSURE) and verb.entity is not None
            written = [verb.entity if creates else None, *(one.entity for one in verb.reach if one.writes)]
            if any(name is not None and entities[name].key.source is KeySource.SERVER for name in written):
                for index in group.indexes:
                    keys[index] = f"{start}{index >> 14:03x}-{0x8000 | (index & 0x3FFF):04x}-{node}"
        return keys

    def _set_timer(self) -> asyncio.TimerHandle | None:
        timeout = self._execution.timeout or self._context.settings.execution_timeout_us
        if not timeout:
            return None

        def time_out() -> None:
            self._timed_out = True
            if self._run.break_off is not None:
                self._run.break_off()

        now = self._context.draws.now()
        spent = max(0, now - (self._execution.started_at or now))
        return asyncio.get_running_loop().call_later(max(0, timeout - spent) / 1_000_000 + _EARLY, time_out)

    def _set_watchdog(self, results: Results) -> Watchdog | None:
        seconds = self._context.settings.statement_timeout
        if not seconds:
            return None

        def give_up(index: int) -> None:
            self._too_slow = index
            if self._run.break_off is not None:
                self._run.break_off()

        return Watchdog(seconds, results, give_up)

    async def _write_batches(self, transaction: Transaction, plan: Plan, results: Results) -> bool:
        """True if something failed. One trip covers many small batches, or one phase, or part of a large one."""
        collect = self._execution.mode is not Mode.ATOMIC
        total = len(plan.batches) // 4
        open_phase = PhaseCompleted(0, 0, 0, 0, 0)
        while self._done < total:
            if self._is_told_to_stop():
                raise Interrupted("the run was told to stop")  # and nobody is told of a phase that never starts
            until = _trip(plan, self._done)
            depth = plan.batches[4 * self._done + 3]
            if not self._done or plan.batches[4 * self._done - 1] != depth:
                self._run.phase_started(depth, _phase_size(plan, self._done))
                open_phase = PhaseCompleted(depth, depth, 0, 0, 0)
            done = await transaction.apply(plan, self._done, until, results, collect=collect)
            results.running = -1
            indexes = _indexes(plan, self._done, self._done + done)
            open_phase = _add(open_phase, plan.batches[4 * (self._done + done) - 1], indexes, results)
            self._done += done
            self._budget.spend(plan, results, indexes)
            self._run.statements_done(indexes)
            if results.roots and not collect:
                self._end_phases_before_failure(plan, open_phase.first_depth)
                return True
            if self._done == total or plan.batches[4 * self._done + 3] != plan.batches[4 * self._done - 1]:
                self.phases = open_phase.last_depth + 1
                self._run.phases_completed(open_phase)
        return bool(results.roots)

    def _end_phases_before_failure(self, plan: Plan, first_depth: int) -> None:
        """A trip that failed may have ended phases before; ATOMIC, so all of theirs succeeded."""
        failed_depth = plan.batches[4 * self._done - 1]
        self.phases = failed_depth
        if failed_depth > first_depth:
            succeeded, at = 0, self._done - 1
            while at >= 0 and (depth := plan.batches[4 * at + 3]) >= first_depth:
                if depth < failed_depth:
                    succeeded += plan.batches[4 * at + 2] - plan.batches[4 * at + 1]
                at -= 1
            self._run.phases_completed(PhaseCompleted(first_depth, failed_depth - 1, succeeded, 0, 0))

    def _keeps_partly(self, results: Results) -> bool:
        return self._execution.mode is Mode.BEST_EFFORT and Status.SUCCESS in results.status

    async def _record(self, plan: Plan, results: Results) -> dry_runs.Recorded:
        if self._sheet is None:
            raise RuntimeError("prepare() comes first")
        self.recorded = await dry_runs.record(self._context, self._execution, self._sheet, plan, results)
        return self.recorded

    def _rehearsed(self, recorded: dry_runs.Recorded, plan: Plan, results: Results) -> ExecutionRow:
        """The end of a dry run that would have committed. Its transaction is left without a commit."""
        endings.settle(self._context.catalog, plan, results, self._done, undone=False)
        ended = self._end(ExecutionState.SUCCEEDED, None)
        return msgspec.structs.replace(ended, plan_digest=recorded.digest)

    def _broken(self) -> ExecutionRow:
        message = "a constraint that is checked when the transaction commits does not hold"
        return self._undo(ExecutionState.FAILED, ExecutionError(ErrorCode.DB_CONSTRAINT, message))

    async def _commit(self, transaction: Transaction, plan: Plan, results: Results, *, failed: bool) -> ExecutionRow:
        catalog = self._context.catalog
        endings.settle(catalog, plan, results, self._done, undone=False)
        state = ExecutionState.PARTIAL if failed else ExecutionState.SUCCEEDED
        ended = self._end(state, await self._failure() if failed else None)
        self._run.execution = msgspec.structs.replace(self._execution, state=ExecutionState.COMMITTING)
        opened = await transaction.open(self._execution.session_id, None)
        if opened.row is None:
            raise RuntimeError("an executing session cannot be gone")
        held = await transaction.hold(self._execution)
        if held is None:  # another server has ended it, as this one did not renew its lease
            return await self._context.store.execution(self._execution.id)
        if held.cancelled_at is not None:
            self._run.cancel = Cancel(held.cancelled_by, held.cancelled_at)
            return self.cancelled(self._run.cancel)
        try:
            approval = await consent.check_run(self._context, self._execution, opened.row.session, ended.tables)
        except consent.Refused as refused:
            return self._undo(ExecutionState.FAILED, refused.error)
        changes = endings.outcome(self._context, opened.row.session, ended, self._execution)
        changes.approval = approval
        changes.symbols = await endings.committed_symbols(
            self._context.store, opened.row, catalog, plan, results, ended.id
        )
        await transaction.record(ended, plan, results)
        if self.recorded is not None:
            await transaction.record_effects(ended, self.recorded.pieces)
        try:
            await transaction.commit(changes)
        except ConstraintViolated:
            return self._broken()
        self._context.topics.publish(changes)
        return ended

    async def _failure(self) -> ExecutionError | None:
        """The lowest failing statement, and where it stands."""
        results = self.results
        roots = [index for index, root in results.roots.items() if index == root] if results is not None else []
        if results is None or not roots:
            return None
        index = min(roots)
        error = results.errors[index]
        return ExecutionError(error.code, error.message, index, await self._span(index))

    async def _span(self, index: int) -> Span | None:
        analysis = self._analysis
        sheet = self._sheet
        if analysis is None or sheet is None:
            return None
        extent = Extent(analysis.offsets[index], analysis.lengths[index])
        # To tell a place, the text is read up to there: up to 32 MiB.
        return await asyncio.to_thread(lambda: Source(sheet.source.decode()).span(extent))

    async def _stopped(self) -> ExecutionRow:
        if self._run.cancel is not None:  # before all else: whoever was told CANCEL_REQUESTED gets CANCELLED
            return self.cancelled(self._run.cancel)
        self._run.decided = True
        if self._timed_out:
            message = "the execution took longer than its timeout; everything was rolled back"
            return self._undo(ExecutionState.TIMED_OUT, ExecutionError(ErrorCode.TIMEOUT, message))
        if self._too_slow is not None:
            index = self._too_slow
            message = f"statement {index} took longer than one statement may; everything was rolled back"
            return self._undo(
                ExecutionState.TIMED_OUT, ExecutionError(ErrorCode.TIMEOUT, message, index, await self._span(index))
            )
        if self._halted or self._run.lost:
            message = "the server stopped while the sheet ran; everything was rolled back"
            return self._undo(ExecutionState.INTERRUPTED, ExecutionError(ErrorCode.CANCELLED, message))
        message = "a rule of the tables ended the transaction; everything was rolled back"
        return self._undo(ExecutionState.FAILED, ExecutionError(ErrorCode.DB_CONSTRAINT, message))

    def _undo(self, state: ExecutionState, error: ExecutionError | None) -> ExecutionRow:
        if self.plan is not None and self.results is not None:
            endings.settle(self._context.catalog, self.plan, self.results, self._done, undone=True)
        return self._end(state, error)

    def _end(self, state: ExecutionState, error: ExecutionError | None) -> ExecutionRow:
        counts = {Status.NOT_RUN.name: self._execution.statements_total}
        tables: tuple[TableCounts, ...] = ()
        if self.plan is not None and self.results is not None:
            if state is ExecutionState.FAILED:
                endings.settle(self._context.catalog, self.plan, self.results, self._done, undone=True)
            counts = endings.count_statuses(self.results)
            if state.committed:
                tables = endings.count_tables(self._context.catalog, self.plan, self.results)
        ended = msgspec.structs.replace(
            self._execution, status_counts=counts, tables=tables, phases_completed=self.phases, error=error
        )
        return endings.finish(ended, state, self._context.draws.now())


def _break_off(transaction: Transaction, results: Results) -> None:
    """Stops the writing at its next piece, and the statement that runs now at once."""
    results.stop = True
    transaction.interrupt()


def _trip(plan: Plan, first: int) -> int:
    """Up to which batch one trip goes: within one phase, or to the end of one."""
    batches = plan.batches
    total = len(batches) // 4
    boundary = first
    statements = 0
    at = first
    while at < total and at - first < _TRIP_BATCHES:
        statements += batches[4 * at + 2] - batches[4 * at + 1]
        at += 1
        if at == total or batches[4 * at + 3] != batches[4 * at - 1]:
            boundary = at
        if statements >= _TRIP_STATEMENTS:
            break
    return boundary if boundary > first else at


def _phase_size(plan: Plan, first: int) -> int:
    """How many statements the phase has that begins with this batch."""
    batches = plan.batches
    depth, size, at = batches[4 * first + 3], 0, first
    while 4 * at < len(batches) and batches[4 * at + 3] == depth:
        size += batches[4 * at + 2] - batches[4 * at + 1]
        at += 1
    return size


def _indexes(plan: Plan, first: int, last: int) -> list[int]:
    found: list[int] = []
    for at in range(first, last):
        number, start, stop, _ = plan.batches[4 * at : 4 * at + 4]
        found.extend(plan.groups[number].indexes[start:stop])
    return found


def _add(phase: PhaseCompleted, last_depth: int, indexes: Sequence[int], results: Results) -> PhaseCompleted:
    done = bytes(map(results.status.__getitem__, indexes))
    return PhaseCompleted(
        phase.first_depth,
        last_depth,
        phase.succeeded + done.count(Status.SUCCESS),
        phase.failed + done.count(Status.FAILED),
        phase.skipped + done.count(Status.SKIPPED),
    )

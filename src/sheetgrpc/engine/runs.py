"""Executions that this process knows live: their updates, and those who watch.

A run's updates are in one list with a sequence; a watcher (watcher.py) is a position in it, never a queue. Updates are
coalesced where they are made, so that no stream gets more than about 20 a second.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from sheetgrpc.clock import monotonic, wall_clock
from sheetgrpc.engine.deadlines import Waiters
from sheetgrpc.engine.tokens import make_token
from sheetgrpc.engine.updates import (
    Body,
    Finished,
    Heartbeat,
    PhaseCompleted,
    PhaseStarted,
    Progress,
    Snapshot,
    StatementResults,
    Update,
)
from sheetgrpc.engine.views import ResultView
from sheetgrpc.engine.waits import Waits
from sheetgrpc.planning.model import Plan, Results, Status
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.records import ExecutionRow, ResultRow

_FLUSH_SECONDS = 0.2
_UPDATE_SECONDS = 0.05  # a flush of more updates is followed by a longer pause: about 20 a second on the whole
_LONGEST_PAUSE = 0.5
_KEPT_UPDATES = 2048
_RESULTS_AN_UPDATE = 5000


class Cancel(msgspec.Struct, frozen=True):
    """Who wants a run to stop, and since when (microseconds since 1970 UTC)."""

    by: str
    at: int


class Run:
    """One execution, from the moment it is queued until it is over."""

    def __init__(self, execution: ExecutionRow, clock: Callable[[], float] = monotonic) -> None:
        self.execution = execution
        self.total = execution.statements_total
        self.completed = 0
        self.phases = 0  # that ended
        self.cancel: Cancel | None = None  # asked of this run; it has not ended yet, but will as CANCELLED
        self.asked = asyncio.Event()  # set with it
        self.decided = False  # how it ends is known and being written: a cancel comes too late
        self.moving = False  # it is on its way back into the queue: a cancel waits for that
        self.lost = False  # another server has taken it over, or will: nothing of it may be committed
        self.here = False  # this process runs it, or will; else it only tells what another one's tells
        self.let_go = 0, 0  # epoch and last sequence where this process put it back: what it told until then is its own
        self.watchers = 0
        self.idle_since = clock()  # without a watcher
        self.generation = 0  # of its updates: those before a gap are not of it
        self.left = False  # its end could not be stored, and nobody will tell of one
        self.break_off: Callable[[], None] | None = None  # ends what is being written; there while something is
        self._clock = clock
        self._updates: list[Update] = []
        self._first = 1  # sequence of the oldest kept update
        self._waiting = Waiters()
        self._snapshot: Update | None = None
        self._next_flush = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._started: PhaseStarted | None = None
        self._ended: PhaseCompleted | None = None
        self._done: list[int] = []  # statements whose results no update has yet
        self._plan: Plan | None = None
        self._results: Results | None = None

    @property
    def first(self) -> int:
        """The sequence of the oldest update that is kept."""
        return self._first

    @property
    def head(self) -> int:
        """The sequence of the last update."""
        return self._first + len(self._updates) - 1

    @property
    def over(self) -> bool:
        """True once Finished is among the updates."""
        return bool(self._updates) and isinstance(self._updates[-1].body, Finished)

    @property
    def live(self) -> ExecutionRow:
        """The execution with its progress, of which the stored row knows nothing before the end."""
        row, cancel = self.execution, self.cancel
        if row.state.terminal or not (self.phases or cancel):
            return asked(row)
        row = msgspec.structs.replace(row, phases_completed=self.phases)
        if cancel is None:
            return row
        return msgspec.structs.replace(
            row, state=ExecutionState.CANCELLING, cancelled_by=cancel.by, cancelled_at=cancel.at
        )

    def begin(self, execution: ExecutionRow, plan: Plan, results: Results) -> None:
        """It runs now: `plan` and `results` are what its statement results are read from."""
        self.execution = execution
        self._plan, self._results = plan, results
        self.completed = self.phases = 0

    def requeue(self, execution: ExecutionRow) -> None:
        """This attempt is over, and the execution waits for another."""
        self.execution = execution
        self.completed = self.phases = 0
        self.decided = self.moving = False
        self._ended, self._started, self._done = None, None, []
        self.publish(Snapshot(execution))

    async def moved(self) -> None:
        """Waits until it is back in the queue, or is not after all."""
        while self.moving:
            await self.changed(_LONGEST_PAUSE)

    def phase_started(self, depth: int, statement_count: int) -> None:
        """A phase began; only the latest of a flush is told."""
        self._started = PhaseStarted(depth, statement_count)
        self._flush_soon()

    def phases_completed(self, ended: PhaseCompleted) -> None:
        """Phases ended; neighbours are told as one range."""
        self.phases = ended.last_depth + 1
        before = self._ended
        if before is not None:
            ended = PhaseCompleted(
                before.first_depth,
                ended.last_depth,
                before.succeeded + ended.succeeded,
                before.failed + ended.failed,
                before.skipped + ended.skipped,
            )
        self._ended = ended
        self._flush_soon()

    def statements_done(self, indexes: Sequence[int]) -> None:
        """These statements were written, or failed."""
        self._done.extend(indexes)
        self.completed += len(indexes)
        self._flush_soon()

    def begin_anew(self, execution: ExecutionRow, sequence: int = 0, phases: int = 0, completed: int = 0) -> None:
        """It goes on as this, after a gap: whoever watches gets a snapshot, and updates beyond the sequence."""
        self.execution = execution
        self.generation += 1
        self._updates, self._first = [], sequence + 1
        self._snapshot = None
        self.phases, self.completed = phases, completed
        self._wake(changed=True)

    def relay(self, update: Update) -> None:
        """What the run has told elsewhere, next in sequence."""
        body = update.body
        if isinstance(body, PhaseCompleted):
            self.phases = body.last_depth + 1
        elif isinstance(body, Progress):
            self.completed = body.completed
        self._append(update)

    def lose(self) -> None:
        """It is no longer this server's: it ends as soon as it can, and nobody hears of that from here."""
        self.lost = True
        if self.break_off is not None:
            self.break_off()

    def ask(self, cancel: Cancel) -> None:
        """Asks it to stop, which it does as soon as it can; every watcher gets a snapshot that says so."""
        self.cancel = cancel
        self._flush()
        self.publish(Snapshot(self.live))
        self.asked.set()
        if self.break_off is not None:
            self.break_off()

    async def ended(self, seconds: float) -> None:
        """Waits for its end at most so long."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not (self.over or self.left) and (left := until - loop.time()) > 0:
            await self.changed(left)

    def leave(self) -> None:
        """Nobody knows how it ends before the next start: who waits for that is let go."""
        self.left, self.moving = True, False
        self._wake(changed=False)

    def finish(self, execution: ExecutionRow) -> None:
        """It is over; whatever waits goes out first."""
        self.execution = execution
        self.moving = False
        self._started = None
        self._flush()
        self.publish(Finished(execution))

    def snapshot(self) -> Update:
        """The execution as it stands, placed after the last update; before Finished, which every stream gets."""
        place = self.head - self.over
        kept = self._snapshot
        if kept is None or kept.sequence != place or kept.body != Snapshot(self.live):
            kept = self._snapshot = self._update(Snapshot(self.live), place)
        return kept

    def opening(self) -> Update:
        """The execution as it stands, placed before the first update."""
        return self._update(Snapshot(self.live), 0)

    def after(self, sequence: int) -> Update | None:
        """The update after this one, if there is one."""
        place = sequence + 1 - self._first
        return self._updates[place] if 0 <= place < len(self._updates) else None

    def holds(self, sequence: int) -> bool:
        """True if a stream that saw this update can continue exactly."""
        return self._first - 1 <= sequence <= self.head

    async def changed(self, seconds: float) -> bool:
        """Waits for the next update at most so long; True if there is one. A thousand watchers wait here at once."""
        return await self._waiting.wait(seconds)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """What runs within counts as a watcher."""
        self.watchers += 1
        try:
            yield
        finally:
            self.leave_watching()

    def leave_watching(self) -> None:
        """One watcher less."""
        self.watchers -= 1
        self.idle_since = self._clock()

    def idle(self, seconds: float) -> bool:
        """True if nobody has watched it for so long."""
        return not self.watchers and self._clock() - self.idle_since >= seconds

    def heartbeat(self) -> Update:
        """A sign of life at the present position."""
        return self._update(Heartbeat(), self.head)

    def _flush_soon(self) -> None:
        wait = self._next_flush - self._clock()
        if wait <= 0:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait, self._flush)

    def _flush(self) -> None:
        """Tells what has gathered: phases that ended, the one that began, results, how far it is."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._ended is None and self._started is None and not self._done:
            return
        head = self.head
        if self._ended is not None:
            self.publish(self._ended)
        if self._started is not None:
            self.publish(self._started)
        for start in range(0, len(self._done), _RESULTS_AN_UPDATE):
            self.publish(self._statement_results(self._done[start : start + _RESULTS_AN_UPDATE]))
        if self._done:
            self.publish(Progress(self.completed, self.total))
        pause = min(max(_FLUSH_SECONDS, _UPDATE_SECONDS * (self.head - head)), _LONGEST_PAUSE)
        self._next_flush = self._clock() + pause
        self._ended, self._started, self._done = None, None, []

    def _statement_results(self, indexes: list[int]) -> StatementResults:
        plan, results = self._plan, self._results
        if plan is None or results is None:
            return StatementResults(list)
        return StatementResults(lambda: [ResultView(result_row(plan, results, index)) for index in indexes])

    def publish(self, body: Body) -> None:
        """Tells this next."""
        self._append(self._update(body, self.head + 1))

    def _append(self, update: Update) -> None:
        self._updates.append(update)
        if len(self._updates) > _KEPT_UPDATES:
            cut = len(self._updates) - _KEPT_UPDATES
            del self._updates[:cut]
            self._first += cut
        self._wake(changed=True)

    def _wake(self, *, changed: bool) -> None:
        for waiter in self._waiting.take():
            if not waiter.done():
                waiter.set_result(changed)

    def _update(self, body: Body, sequence: int) -> Update:
        epoch = self.execution.epoch
        return Update(epoch, sequence, make_token(self.execution.id, epoch, sequence), wall_clock(), body)


def result_row(plan: Plan, results: Results, index: int) -> ResultRow:
    """What is known of a statement now."""
    return ResultRow(
        index=index,
        depth=plan.depths[index],
        status=results.status[index],
        effect=results.effect[index],
        key=results.keys[index] if results.status[index] == Status.SUCCESS else None,
        micros=results.micros[index],
        error=results.errors.get(index),
        rows=results.rows.get(index),
    )


class Runs:
    """The runs of this process, by execution id, and those elsewhere that are watched here; each goes with its end."""

    def __init__(self, *, shared: bool = False) -> None:
        """`shared`: other servers run from the same queue."""
        self.shared = shared
        self.adopted: Callable[[], None] = lambda: None  # called when there is one more to follow
        self._runs: dict[str, Run] = {}
        self.waits = Waits()
        self.woken = asyncio.Event()  # there may be something to run, or room for it

    def get(self, execution_id: str) -> Run | None:
        """The live run of an execution, here or as it is told of elsewhere."""
        return self._runs.get(execution_id)

    def dry_runs(self, session_id: str) -> list[Run]:
        """The dry runs of a session that have not ended."""
        return [run for run in self.all() if run.execution.session_id == session_id and run.execution.dry_run]

    def wake(self) -> None:
        """Has the queue looked at: an execution was queued or has ended, or the queue was resumed."""
        self.woken.set()

    def all(self) -> list[Run]:
        """Every live run."""
        return list(self._runs.values())

    def here(self, execution_id: str) -> Run | None:
        """The run of an execution that this process runs, or will."""
        run = self._runs.get(execution_id)
        return run if run is not None and run.here else None

    def elsewhere(self) -> list[Run]:
        """Those that are watched here and run elsewhere, or nowhere yet."""
        return [run for run in self._runs.values() if not run.here]

    def adopt(self, execution: ExecutionRow) -> Run:
        """The run of an execution that is queued, or will be in a moment."""
        run = self._runs.get(execution.id)
        if run is None:
            run = self._runs[execution.id] = Run(execution)
            run.here = not self.shared
            if self.shared:
                self.adopted()
        return run

    def remove(self, execution_id: str) -> None:
        """The execution is over and stored. Watchers keep their run until they have read it."""
        self._runs.pop(execution_id, None)

    def overlay(self, execution: ExecutionRow) -> ExecutionRow:
        """The stored row, or what this process knows better of it."""
        execution, run = self.waits.overlay(execution), self._runs.get(execution.id)
        # What is stored as ended has ended, although the run is told a moment later.
        if run is None or execution.state.terminal:
            return asked(execution)
        if run.here:
            return run.live
        if run.execution.epoch != execution.epoch or not run.phases:
            return asked(execution)
        return asked(msgspec.structs.replace(execution, phases_completed=run.phases))


def asked(execution: ExecutionRow) -> ExecutionRow:
    """The stored row as it is shown: one that runs and is to be stopped is CANCELLING."""
    if execution.state is ExecutionState.RUNNING and execution.cancelled_at is not None:
        return msgspec.structs.replace(execution, state=ExecutionState.CANCELLING)
    return execution

"""Executions that this process knows live: their updates, and those who watch.

A run's updates are in one list with a sequence; a watcher is a position in it, never a queue. A slow one reads later
and holds nothing. Updates are coalesced where they are made, so that no stream gets more than about 20 a second.
"""

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence

import msgspec

from sheetgrpc.clock import monotonic, wall_clock
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
from sheetgrpc.planning.model import Plan, Results, Status
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.records import ExecutionRow, ResultRow

_FLUSH_SECONDS = 0.2
_UPDATE_SECONDS = 0.05  # a flush of more updates is followed by a longer pause: about 20 a second on the whole
_LONGEST_PAUSE = 0.5
_KEPT_UPDATES = 2048
_RESULTS_AN_UPDATE = 5000
_QUEUED = 0  # the epoch before the first: what is told in it stands before all that follows


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
        self.left = False  # its end could not be stored, and nobody will tell of one
        self.break_off: Callable[[], None] | None = None  # ends what is being written; there while something is
        self._clock = clock
        self._updates: list[Update] = []
        self._first = 1  # sequence of the oldest kept update
        self._waiting: set[asyncio.Future[bool]] = set()
        self._snapshot: Update | None = None
        self._next_flush = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._started: PhaseStarted | None = None
        self._ended: PhaseCompleted | None = None
        self._done: list[int] = []  # statements whose results no update has yet
        self._plan: Plan | None = None
        self._results: Results | None = None

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
            return row
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
        self._started = self._ended = None
        self._done = []
        self._publish(Snapshot(execution))

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

    def ask(self, cancel: Cancel) -> None:
        """Asks it to stop, which it does as soon as it can; every watcher gets a snapshot that says so."""
        self.cancel = cancel
        self._flush()
        self._publish(Snapshot(self.live))
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
        for waiter in self._waiting:
            _wake(waiter, False)  # what the future answers

    def finish(self, execution: ExecutionRow) -> None:
        """It is over; whatever waits goes out first."""
        self.execution = execution
        self.moving = False
        self._started = None
        self._flush()
        self._publish(Finished(execution))

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
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiting.add(waiter)
        timer = loop.call_later(seconds, _wake, waiter, False)  # what the future answers
        try:
            return await waiter
        finally:
            timer.cancel()
            self._waiting.discard(waiter)

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
            self._publish(self._ended)
        if self._started is not None:
            self._publish(self._started)
        for start in range(0, len(self._done), _RESULTS_AN_UPDATE):
            self._publish(self._statement_results(self._done[start : start + _RESULTS_AN_UPDATE]))
        if self._done:
            self._publish(Progress(self.completed, self.total))
        pause = min(max(_FLUSH_SECONDS, _UPDATE_SECONDS * (self.head - head)), _LONGEST_PAUSE)
        self._next_flush = self._clock() + pause
        self._ended, self._started, self._done = None, None, []

    def _statement_results(self, indexes: list[int]) -> StatementResults:
        plan, results = self._plan, self._results
        if plan is None or results is None:
            return StatementResults(list)
        return StatementResults(lambda: [ResultView(result_row(plan, results, index)) for index in indexes])

    def _publish(self, body: Body) -> None:
        self._updates.append(self._update(body, self.head + 1))
        if len(self._updates) > _KEPT_UPDATES:
            cut = len(self._updates) - _KEPT_UPDATES
            del self._updates[:cut]
            self._first += cut
        for waiter in self._waiting:
            _wake(waiter, True)  # what the future answers

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


def _wake(waiter: "asyncio.Future[bool]", changed: bool) -> None:  # what the future answers
    if not waiter.done():
        waiter.set_result(changed)


class Runs:
    """The runs of this process, by execution id; finished ones go when they are stored."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self.woken = asyncio.Event()  # there may be something to run, or room for it

    def get(self, execution_id: str) -> Run | None:
        """The live run of an execution."""
        return self._runs.get(execution_id)

    def dry_runs(self, session_id: str) -> list[Run]:
        """The dry runs of a session that have not ended."""
        runs = self._runs.values()
        return [run for run in runs if run.execution.session_id == session_id and run.execution.dry_run]

    def wake(self) -> None:
        """Has the queue looked at: an execution was queued or has ended, or the queue was resumed."""
        self.woken.set()

    def all(self) -> list[Run]:
        """Every live run."""
        return list(self._runs.values())

    def adopt(self, execution: ExecutionRow) -> Run:
        """The run of an execution that is queued, or will be in a moment."""
        return self._runs.setdefault(execution.id, Run(execution))

    def remove(self, execution_id: str) -> None:
        """The execution is over and stored. Watchers keep their run until they have read it."""
        self._runs.pop(execution_id, None)

    def overlay(self, execution: ExecutionRow) -> ExecutionRow:
        """The stored row, or what this process knows better of it."""
        run = self._runs.get(execution.id)
        # What is stored as ended has ended, although the run is told a moment later.
        return run.live if run is not None and not execution.state.terminal else execution


class Watcher:
    """One stream's place in a run."""

    def __init__(
        self,
        run: Run | None,
        ended: ExecutionRow | None,
        position: int | None,
        *,
        results: bool,
        heartbeat: float,
        from_start: bool = False,
    ) -> None:
        """`position` None: begin with a snapshot. Without a run, `ended` is told and that is all.

        `from_start`: after the snapshot come all updates that are kept, not only later ones.
        """
        self._from_start = from_start
        self._run = run
        self._ended = ended
        self._position = position
        self._results = results
        self._heartbeat = heartbeat
        self._over = False

    async def next(self) -> Update | None:
        """The next update; None when the stream is over."""
        if self._run is None:
            return self._next_of_ended()
        if self._position is None:
            from_start, self._from_start = self._from_start, False
            update = self._run.opening() if from_start and self._run.holds(0) else self._run.snapshot()
            self._position = update.sequence
            return update
        while not self._over:
            update_or_none = self._run.after(self._position)
            if update_or_none is None:
                if not self._run.holds(self._position):
                    self._position = None  # it fell behind what is kept: a snapshot again
                    return await self.next()
                if not await self._run.changed(self._heartbeat):
                    return self._run.heartbeat()
                continue
            self._position = update_or_none.sequence
            self._over = isinstance(update_or_none.body, Finished)
            if self._results or not isinstance(update_or_none.body, StatementResults):
                return update_or_none
        return None

    def close(self) -> None:
        """The stream is gone."""
        self._run = None
        self._over = True
        self._ended = None

    def _next_of_ended(self) -> Update | None:
        if self._ended is None:
            return None
        if self._position is None:
            self._position = 0
            return self._place(Snapshot(self._ended), 1)
        ended, self._ended = self._ended, None
        return self._place(Finished(ended), 2)

    def _place(self, body: Body, sequence: int) -> Update:
        execution = body.execution if isinstance(body, (Snapshot, Finished)) else None
        name, epoch = (execution.id, execution.epoch) if execution is not None else ("", 0)
        return Update(epoch, sequence, make_token(name, epoch, sequence), wall_clock(), body)


def make_token(execution_id: str, epoch: int, sequence: int) -> str:
    """An opaque place in a run."""
    return base64.urlsafe_b64encode(f"1 {execution_id} {epoch} {sequence}".encode()).decode()


def read_token(token: str, execution_id: str, epoch: int) -> int | None:
    """The sequence that a token stands for, if it is of this run of this execution; else None, never an error."""
    try:
        version, name, of_epoch, sequence = base64.urlsafe_b64decode(token.encode()).decode().split(" ")
        if (version, name) == ("1", execution_id) and int(of_epoch) in (_QUEUED, epoch):
            return int(sequence)
    except (ValueError, binascii.Error):
        return None
    return None

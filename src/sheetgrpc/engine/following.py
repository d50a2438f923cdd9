"""Follows what happens on other servers for those who watch here: the logs of sessions, and runs.

It looks at intervals, and at once where a hint says so; one look is a few queries, however many watch.
"""

import asyncio

import msgspec
import structlog

from sheetgrpc.engine import endless
from sheetgrpc.engine.bell import Bell
from sheetgrpc.engine.runs import Cancel, Run, Runs
from sheetgrpc.engine.telling import read_progress
from sheetgrpc.engine.updates import Finished, Snapshot
from sheetgrpc.engine.watching import Topics
from sheetgrpc.errors import SheetError
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.leases import Leases, ProgressRow
from sheetgrpc.store.records import ExecutionRow

log = structlog.get_logger(__name__)

_IDLE_SECONDS = 5.0  # for which a run is followed although nobody watches it
_PATIENCE = 2  # looks that wait for what a run that has ended told last
_RUNNING_SECONDS = 0.3  # between looks at runs while some are watched


class Follower:
    """Looks from `start` to `stop`."""

    def __init__(self, leases: Leases, runs: Runs, topics: Topics, interval: float) -> None:
        """`interval` in seconds, of looks without a hint."""
        self._leases = leases
        self._runs = runs
        self._topics = topics
        self._interval = interval
        self._bell = Bell()
        self._waited: dict[str, int] = {}  # looks since a run has ended
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to look."""
        self._tasks = [asyncio.create_task(self._follow_sessions()), asyncio.create_task(self._follow_runs())]

    async def stop(self) -> None:
        """Looks no more."""
        await endless.end(*self._tasks)

    def look(self, execution_id: str = "") -> None:
        """Something is new of this execution, or of any."""
        if not execution_id or self._runs.get(execution_id) is not None:
            self._bell.ring()

    async def _follow_sessions(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            heads = self._topics.heads()
            try:
                found = await self._leases.versions(list(heads)) if heads else {}
            except SheetError as error:
                log.info("follow.deferred", reason=error.reason.value)
            except Exception:  # the next look may go better
                log.exception("follow.failed")
            else:
                for session_id, version in found.items():
                    self._topics.hint(session_id, version)

    async def _follow_runs(self) -> None:
        while True:
            runs = {run.execution.id: run for run in self._elsewhere()}
            await self._bell.wait(min(_RUNNING_SECONDS, self._interval) if runs else self._interval)
            try:
                await self._look(runs)
            except SheetError as error:
                log.info("follow.deferred", reason=error.reason.value)
            except Exception:
                log.exception("follow.failed")

    def _elsewhere(self) -> list[Run]:
        """The runs to follow; those that nobody watches any more go."""
        found = self._runs.elsewhere()
        for run in found:
            if run.idle(_IDLE_SECONDS):
                self._runs.remove(run.execution.id)
        return [run for run in found if self._runs.get(run.execution.id) is run]

    async def _look(self, before: dict[str, Run]) -> None:
        runs = {run.execution.id: run for run in self._elsewhere()} | before
        if not runs:
            return
        rows = {row.id: row for row in await self._leases.executions(list(runs))}
        places = {name: (run.execution.epoch, run.head) for name, run in runs.items()}
        told: dict[str, list[ProgressRow]] = {}
        for progress in await self._leases.told(places):
            told.setdefault(progress.execution_id, []).append(progress)
        for name, run in runs.items():
            if not run.here and not run.over and name in rows:
                self._bring_up(run, rows[name], told.get(name, []))

    def _bring_up(self, run: Run, row: ExecutionRow, told: list[ProgressRow]) -> None:
        """Lets the run tell what it told elsewhere."""
        if row.epoch != run.execution.epoch and run.head:
            run.begin_anew(row)
            run.cancel = None
        # That it has ended is told last.
        run.execution = msgspec.structs.replace(self._runs.waits.overlay(row), state=_as_before(row))
        if row.cancelled_at is not None and not row.state.terminal and run.cancel is None:
            run.cancel = Cancel(row.cancelled_by, row.cancelled_at)
        for progress in told:
            if progress.epoch == row.epoch:
                self._relay(run, row, progress)
        if row.state.terminal and not run.over:
            self._end(run, row)

    def _relay(self, run: Run, row: ExecutionRow, progress: ProgressRow) -> None:
        place, updates = read_progress(progress, lambda: run.live)
        for update in updates:
            if isinstance(update.body, Finished):
                if row.state.terminal:
                    self._finish(run, row)
                return
            if update.sequence > run.head + 1:
                run.begin_anew(run.execution, update.sequence - 1, place.phases, place.completed)
            if update.sequence == run.head + 1:
                run.relay(update)

    def _end(self, run: Run, row: ExecutionRow) -> None:
        """It has ended, and perhaps nobody is there to tell the last of it: then this says all there is."""
        waited = self._waited.get(row.id, 0)
        if row.epoch and waited < _PATIENCE and run.watchers:
            self._waited[row.id] = waited + 1
            return
        if row.epoch:
            run.publish(Snapshot(row))
        self._finish(run, row)

    def _finish(self, run: Run, row: ExecutionRow) -> None:
        self._waited.pop(row.id, None)
        run.finish(row)
        self._runs.remove(row.id)


def _as_before(row: ExecutionRow) -> ExecutionState:
    """The state that it had when it was last known not to have ended."""
    if not row.state.terminal:
        return row.state
    return ExecutionState.RUNNING if row.epoch else ExecutionState.QUEUED

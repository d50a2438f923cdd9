"""One stream's place in a run: a position among its updates, and what it tells next.

A slow one reads later and holds nothing.
"""

from sheetgrpc.clock import wall_clock
from sheetgrpc.engine.runs import Run
from sheetgrpc.engine.tokens import make_token
from sheetgrpc.engine.updates import Body, Finished, Snapshot, StatementResults, Update
from sheetgrpc.store.records import ExecutionRow


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
        self._generation = 0
        if run is not None:
            run.watchers += 1
            self._generation = run.generation

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
            anew = self._generation != self._run.generation
            update_or_none = self._run.after(self._position) if not anew else None
            if update_or_none is None:
                if anew or not self._run.holds(self._position):
                    self._generation = self._run.generation
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
        if self._run is not None:
            self._run.leave_watching()
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

"""Keeps what this server runs its own: renews leases beside the runs, hears of cancels, tells others how far it is.

A run is lost when the database says that it is another's, or when its lease has not been renewed for as long as it
lasts: whatever it still does is rolled back. Where the database is this process's alone, there is nothing to keep.
"""

import asyncio

import structlog

from sheetgrpc.clock import monotonic
from sheetgrpc.engine import endless
from sheetgrpc.engine.bell import Bell
from sheetgrpc.engine.runs import Cancel, Run, Runs
from sheetgrpc.engine.telling import Place, write_progress
from sheetgrpc.errors import SheetError
from sheetgrpc.store.leases import Lease, Leases
from sheetgrpc.store.records import ExecutionRow

log = structlog.get_logger(__name__)

_BEATS = 4  # renewals a lease
_TELL_SECONDS = 0.3


class Ownership:
    """The runs of this server, from `own` to `disown`."""

    def __init__(self, leases: Leases | None, runs: Runs, seconds: float) -> None:
        """`seconds` is how long a lease lasts."""
        self.replica = leases.replica if leases is not None else ""
        self._leases = leases
        self._runs = runs
        self._seconds = seconds
        self._owned: dict[str, Run] = {}
        self._told: dict[str, Place] = {}  # by execution
        self._renewed = float("-inf")
        self._asked = Bell()
        self._tasks: list[asyncio.Task[None]] = []
        self._last: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begins to renew."""
        if self._leases is not None:
            self._renewed = monotonic()
            self._tasks = [
                asyncio.create_task(self._renew(self._leases)),
                asyncio.create_task(self._tell(self._leases)),
            ]

    async def stop(self) -> None:
        """Ends with the last run; what is still to be told of it is told."""
        await endless.end(*self._tasks)
        await asyncio.gather(*self._last, return_exceptions=True)

    def reach(self, row: ExecutionRow) -> Run:
        """This server is about to claim it."""
        run = self._runs.adopt(row)
        if not run.here and run.head and run.let_go != (row.epoch, run.head):
            run.begin_anew(row)
        run.here, run.lost, run.left = True, False, False
        return run

    def own(self, run: Run, claimed: ExecutionRow) -> None:
        """This server runs it from now on, and has claimed it in the database."""
        run.execution = claimed
        self._owned[claimed.id] = run
        self._told[claimed.id] = Place(run.head)  # what came before is of another epoch

    def disown(self, run: Run) -> None:
        """It has ended, or is not this server's any more, or not yet."""
        execution = run.execution
        run.here = not self._runs.shared or run.over
        run.let_go = execution.epoch, run.head
        self._owned.pop(execution.id, None)
        place = self._told.pop(execution.id, Place())
        if self._leases is not None and run.over:
            task = asyncio.create_task(self._tell_end(self._leases, run, place))
            self._last.add(task)
            task.add_done_callback(self._last.discard)

    def owns(self, execution_id: str) -> bool:
        """True while this server runs it."""
        return execution_id in self._owned

    def look(self) -> None:
        """Somebody has asked for the end of a run: the database says of which."""
        self._asked.ring()

    async def _renew(self, leases: Leases) -> None:
        while True:
            mine = dict(self._owned)
            began = monotonic()
            try:
                found = await leases.renew(list(mine)) if mine else []
            except SheetError as error:
                log.warning("lease.not_renewed", reason=error.reason.value)
                self._lose_all_if_late()
            except Exception:
                log.exception("lease.not_renewed")
                self._lose_all_if_late()
            else:
                self._renewed = began  # no lease is longer than its owner believes
                self._compare(mine, {lease.execution_id: lease for lease in found})
            await self._asked.wait(self._seconds / _BEATS)

    def _compare(self, mine: dict[str, Run], found: dict[str, Lease]) -> None:
        for execution_id, run in mine.items():
            if self._owned.get(execution_id) is not run or run.over or run.decided:
                continue
            lease = found.get(execution_id)
            if lease is None or lease.epoch != run.execution.epoch:
                log.warning("execution.lost", execution=execution_id)
                run.lose()
            elif lease.cancelled_at is not None and run.cancel is None:
                run.ask(Cancel(lease.cancelled_by, lease.cancelled_at))

    def _lose_all_if_late(self) -> None:
        if monotonic() - self._renewed < self._seconds:
            return
        for run in self._owned.values():
            run.lose()

    async def _tell(self, leases: Leases) -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            for execution_id, run in list(self._owned.items()):
                if not run.over:
                    place = await self._tell_one(leases, run, self._told.get(execution_id, Place()))
                    if self._owned.get(execution_id) is run:
                        self._told[execution_id] = place

    async def _tell_end(self, leases: Leases, run: Run, place: Place) -> None:
        await self._tell_one(leases, run, place)
        leases.hint(f"x:{run.execution.id}")

    async def _tell_one(self, leases: Leases, run: Run, place: Place) -> Place:
        progress, after = write_progress(run, place)
        if progress is None:
            return place
        try:
            await leases.tell(progress)
        except SheetError as error:  # whoever watches elsewhere gets a snapshot instead
            log.info("progress.not_told", execution=run.execution.id, reason=error.reason.value)
            return place
        except Exception:
            log.exception("progress.not_told", execution=run.execution.id)
            return place
        return after

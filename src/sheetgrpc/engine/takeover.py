"""Looks for what another server left: runs that nobody keeps alive, and a queue that nobody works on.

Nothing of such a run is applied: its transaction died with its server, or fails at its end as the claim is gone. It
ends here as INTERRUPTED, or as CANCELLED where that was asked for. Knows nothing of how a run is run.
"""

import asyncio

import structlog

from sheetgrpc.engine import endings, endless
from sheetgrpc.engine.bell import Bell
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.ownership import Ownership
from sheetgrpc.engine.runs import Cancel
from sheetgrpc.errors import SheetError
from sheetgrpc.store.leases import Leases
from sheetgrpc.store.records import ExecutionRow

log = structlog.get_logger(__name__)

_BATCH = 50
_KEPT_SECONDS = 60.0  # of progress that no run needs
_ROWS = 1000
_COURTESY = 0.02  # seconds: who took a submit runs it, as a rule


class Takeover:
    """Looks at intervals, and when it is told that there is something."""

    def __init__(self, context: Context, ownership: Ownership, leases: Leases) -> None:
        self._context = context
        self._ownership = ownership
        self._leases = leases
        self._queued = Bell()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._work(), name="takeover")

    async def stop(self) -> None:
        """Looks no more."""
        if self._task is not None:
            await endless.end(self._task)

    def look(self) -> None:
        """Something is queued."""
        self._queued.ring()

    async def sweep(self) -> None:
        """Ends what has been left. Raises what the store raises."""
        for row in await self._leases.lapsed(_BATCH):
            if not self._ownership.owns(row.id):
                await self._take(row)
        await self._leases.clear(_KEPT_SECONDS, _ROWS)

    async def _work(self) -> None:
        while True:
            await self._queued.wait(self._context.settings.poll_interval)
            await asyncio.sleep(_COURTESY)
            try:
                await self.sweep()
                self._context.runs.wake()
            except SheetError as error:
                log.info("takeover.deferred", reason=error.reason.value)
            except Exception:  # the next look may go better
                log.exception("takeover.failed")

    async def _take(self, row: ExecutionRow) -> None:
        await self._leases.evict(row.replica)
        context = self._context
        async with context.store.begin() as transaction:
            opened = await transaction.open(row.session_id, None)
            held = await transaction.hold(row, lapsed=True) if opened.row is not None else None
            if opened.row is None or held is None:  # somebody else was first, or its owner is back
                return
            now = context.draws.now()
            if held.cancelled_at is not None:
                ended = endings.cancelled_before_start(row, Cancel(held.cancelled_by, held.cancelled_at), now)
            else:
                ended = endings.interrupted(row, now)
            changes = endings.outcome(context, opened.row.session, ended, row)
            await transaction.commit(changes)
        context.topics.publish(changes)
        self._leases.hint(f"x:{row.id}")
        log.warning("execution.taken_over", execution=row.id, replica=row.replica, state=ended.state.value)

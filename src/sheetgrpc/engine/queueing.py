"""Who runs next. The store has the queue; here is only known when it is worth a look, and who is left alone meanwhile.

Waits are measured by the monotonic clock, so that nobody who sets the wall clock makes one of them end early or never.
The store's times are for people, and for the next process, which waits no longer than the longest wait there is.
"""

import asyncio
from collections.abc import Iterable

import structlog

from sheetgrpc.engine.breakers import Breaker
from sheetgrpc.engine.context import Context
from sheetgrpc.errors import NotFound, SheetError
from sheetgrpc.session.model import ExecutionState
from sheetgrpc.store.records import ExecutionRow

log = structlog.get_logger(__name__)

_MICROS = 1_000_000
_TROUBLE_SECONDS = 0.5  # until the next look where the store did not answer
_POLL_SECONDS = 1.0  # until the next look where other servers may have queued something
_LONGEST_DEFERRAL = 60.0
_LOOK = 100  # rows a read, where some may have to wait for a breaker


class Queue:
    """What waits, as this process sees it."""

    def __init__(self, context: Context) -> None:
        self._store = context.store
        self._runs = context.runs
        self._draws = context.draws
        self._longest = round(max((*context.settings.retry_delays, _LONGEST_DEFERRAL)) * _MICROS)
        self._not_before: dict[str, int] = {}  # execution -> microseconds on the monotonic clock
        self._breakers = context.breakers
        self._blocked: frozenset[str] = frozenset()  # modules, as of the last look
        self._held: set[str] = set()  # executions that were found to call into these
        self._troubled = False

    def put_off(self, row: ExecutionRow) -> None:
        """An execution waits until its next attempt is due, counted from now."""
        left = (row.next_attempt_at or 0) - self._draws.now()
        self._not_before[row.id] = self._now() + min(max(left, 0), self._longest)
        self._runs.waits.put_off(row)

    def forget(self, execution_id: str) -> None:
        """It does not wait any more."""
        self._not_before.pop(execution_id, None)
        self._runs.waits.forget(execution_id)

    async def next(self) -> ExecutionRow | None:
        """The execution whose turn it is; None where nothing is due, the queue is held, or the store does not tell."""
        try:
            self._troubled = False
            if not (await self._store.queue()).mode.claims:
                return None
            return _first(await self._due())
        except SheetError as error:
            log.warning("queue.unread", reason=error.reason.value)
            self._troubled = True
            return None

    async def wait(self, stopping: asyncio.Event) -> None:
        """Until there may be something to run: one is queued, has ended, or is due; or the server stops."""
        woken = self._runs.woken
        waiting = [asyncio.create_task(event.wait()) for event in (woken, stopping)]
        try:
            await asyncio.wait(waiting, timeout=self._pause(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
            woken.clear()

    async def _due(self) -> list[ExecutionRow]:
        """What may begin now, by this process's clocks."""
        now = self._now()
        early = {one for one, due in self._not_before.items() if due > now}
        found = {row.id: row for row in await self._first_waiting(early)}
        for one in self._not_before.keys() - early - found.keys() - self._held:  # by the store's clock not yet due
            row = await self._find(one)
            if row is None or row.state is not ExecutionState.QUEUED:
                self.forget(one)
            elif not self._holds(row):
                found[one] = row
        return list(found.values())

    async def _first_waiting(self, early: set[str]) -> list[ExecutionRow]:
        """The first that is neither early nor held, if there is one; what is held is read once while that is so."""
        blocked = self._breakers.blocked()
        if blocked != self._blocked:
            self._blocked = blocked
            self._held.clear()
        while rows := await self._store.waiting(_LOOK if blocked else 1, early | self._held):
            for row in rows:
                if not self._holds(row):
                    return [row]
        return []

    def _holds(self, row: ExecutionRow) -> bool:
        """Whether it has to wait for a breaker."""
        held = any(one.module in self._blocked for one in row.trusted_modules)
        if held:
            self._held.add(row.id)
        return held

    async def _find(self, execution_id: str) -> ExecutionRow | None:
        try:
            return await self._store.execution(execution_id)
        except NotFound:  # purged
            return None

    def _pause(self) -> float | None:
        """For how many seconds nothing need be looked at; None for as long as nobody wakes it."""
        now = self._now()
        pauses = [(due - now) / _MICROS for due in self._not_before.values() if due > now]
        if self._held:
            pauses += [one.wait for one in self._breakers.all() if one.wait is not None and self._is_shut(one.breaker)]
        if self._troubled:
            pauses.append(_TROUBLE_SECONDS)
        if self._store.about.shared:
            pauses.append(_POLL_SECONDS)
        return min(pauses, default=None)

    def _is_shut(self, breaker: Breaker) -> bool:
        """Whether it was at the last look, and not because of an execution whose end will be heard."""
        return breaker.module in self._blocked and not breaker.probe

    def _now(self) -> int:
        return round(self._draws.monotonic() * _MICROS)


def _first(rows: Iterable[ExecutionRow]) -> ExecutionRow | None:
    return min(rows, key=lambda row: (-row.priority, row.submitted_at, row.id), default=None)

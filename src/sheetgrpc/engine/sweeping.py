"""The sweeper: expires what is due, purges what was kept long enough, and deletes what nobody needs any more.

Nothing that a caller is told hangs on when it comes by (see expiring.py); it only keeps the database small. It works in
short transactions with the writer let go between them, and what fails is logged and left for the next sweep: one broken
session stops neither the others nor the sweeper.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from sheetgrpc.clock import Draws
from sheetgrpc.engine.expiring import Expiry
from sheetgrpc.engine.lifetimes import TOLERANCE, Lifetimes
from sheetgrpc.engine.presence import Presence
from sheetgrpc.engine.trimming import Trimmer
from sheetgrpc.errors import SheetError, Unavailable
from sheetgrpc.session.model import Lifecycle
from sheetgrpc.store.base import Store

log = structlog.get_logger(__name__)

_BATCH = 100  # sessions of one kind a sweep
_TOUCHES = 500  # signs of life a transaction
_ROWS = 2000  # deleted a transaction: some 10 ms of the writer
_PIECES = 20  # such transactions a sweep


class Swept(msgspec.Struct):
    """What one sweep has done, in numbers. `more`: there was more to do than one sweep does."""

    expired: int = 0
    purged: int = 0
    trimmed: int = 0  # events
    replies: int = 0
    tasks: int = 0
    more: bool = False


class Sweeper:
    """Sweeps at intervals, from `start` to `stop`."""

    def __init__(
        self,
        store: Store,
        draws: Draws,
        lifetimes: Lifetimes,
        presence: Presence,
        expiry: Expiry,
        *,
        interval: float,
        max_events: int,
    ) -> None:
        """`interval` in seconds; logs keep at least `max_events`."""
        self._store = store
        self._draws = draws
        self._lifetimes = lifetimes
        self._presence = presence
        self._expiry = expiry
        self._interval = interval
        self._trimmer = Trimmer(store, max_events)
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._broken: set[str] = set()  # sessions that could not be expired or purged

    def start(self) -> None:
        """Begins to sweep."""
        self._task = asyncio.create_task(self._work(), name="sweeper")

    def drain(self) -> None:
        """Begins nothing more."""
        self._stopping.set()

    async def stop(self) -> None:
        """Lets the transaction under way end; writes down who was watched until now."""
        self.drain()
        if self._task is not None:
            await self._task
        await self._guarded("touch", self._touch())

    async def sweep(self) -> Swept:
        """One sweep. Raises nothing: what went wrong is logged."""
        swept = Swept()
        now = self._lifetimes.observe()
        retained = self._lifetimes.retained_since(now)
        steps: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("clock", lambda: self._settle_clock(now)),
            ("touch", self._touch),
            ("expire", lambda: self._expire(swept, now, retained)),
            ("purge", lambda: self._purge(swept, retained)),
            ("clear", lambda: self._clear(swept)),
            ("replies", lambda: self._drop_replies(swept)),
            ("tasks", lambda: self._drop_tasks(swept, retained)),
            ("trim", lambda: self._trim(swept, retained)),
        ]
        for name, step in steps:
            if not self._stopping.is_set():
                await self._guarded(name, step())
        return swept

    async def _work(self) -> None:
        while not self._stopping.is_set():
            swept = await self.sweep()
            if swept.expired or swept.purged or swept.trimmed or swept.tasks:
                done = {
                    "expired": swept.expired,
                    "purged": swept.purged,
                    "trimmed": swept.trimmed,
                    "tasks": swept.tasks,
                }
                log.info("sweep.finished", **done)
            if swept.more:
                await asyncio.sleep(0)
                continue
            try:
                async with asyncio.timeout(self._interval):
                    await self._stopping.wait()
            except TimeoutError:
                pass

    async def _guarded(self, step: str, work: Awaitable[None], session: str = "") -> bool:
        """Does the work; True if it went well."""
        try:
            await work
        except Unavailable as error:  # somebody else has the writer: it is theirs
            log.info("sweep.deferred", step=step, reason=error.reason.value)
        except SheetError as error:
            log.warning("sweep.failed", step=step, session=session, reason=error.reason.value)
        except Exception:
            log.exception("sweep.failed", step=step, session=session)
        else:
            return True
        return False

    async def _settle_clock(self, now: int) -> None:
        await self._store.upkeep.settle_clock(now, now + TOLERANCE, _BATCH)

    async def _touch(self) -> None:
        owed = self._presence.owed(self._draws.now(), _TOUCHES)
        if owed:
            await self._store.upkeep.touch(owed, self._draws.now())
            self._presence.settle(owed)

    async def _expire(self, swept: Swept, now: int, retained: int | None) -> None:
        limit = _BATCH + len(self._broken)
        due = await self._store.upkeep.leases_due(now, self._lifetimes.since, limit)
        if retained is not None:
            due += await self._store.upkeep.retentions_due(retained, limit)
        watched = [session_id for session_id in due if self._presence.watched(session_id)]
        if watched:  # a sign of life, and no longer in the way of those that are due
            await self._store.upkeep.touch(dict.fromkeys(watched, now), now)
        await self._each("expire", due, self._expire_one(swept))
        swept.more = swept.more or swept.expired >= _BATCH

    def _expire_one(self, swept: Swept) -> Callable[[str], Awaitable[None]]:
        async def expire(session_id: str) -> None:
            row = await self._expiry.settle(await self._store.session(session_id))
            swept.expired += row.session.lifecycle is Lifecycle.EXPIRED

        return expire

    async def _purge(self, swept: Swept, retained: int | None) -> None:
        if retained is None:
            return
        due = await self._store.upkeep.tombstones_due(retained, _BATCH + len(self._broken))

        async def purge(session_id: str) -> None:
            if not self._presence.watched(session_id):  # whoever reads the end of its log may do so
                swept.purged += await self._store.upkeep.purge(session_id, retained)

        await self._each("purge", due, purge)
        swept.more = swept.more or swept.purged >= _BATCH

    async def _each(self, step: str, sessions: list[str], function: Callable[[str], Awaitable[None]]) -> None:
        """Every session for itself; those that failed before come last, so that they are in nobody's way."""
        for session_id in sorted(sessions, key=self._broken.__contains__):
            if self._stopping.is_set():
                return
            if await self._guarded(step, function(session_id), session_id):
                self._broken.discard(session_id)
            elif len(self._broken) < _BATCH:
                self._broken.add(session_id)

    async def _clear(self, swept: Swept) -> None:
        for _ in range(_PIECES):
            if self._stopping.is_set() or not await self._store.upkeep.clear(_ROWS):
                return
        swept.more = True

    async def _drop_replies(self, swept: Swept) -> None:
        swept.replies = await self._store.upkeep.drop_replies(self._draws.now(), _ROWS)
        swept.more = swept.more or swept.replies >= _ROWS

    async def _drop_tasks(self, swept: Swept, retained: int | None) -> None:
        if retained is not None:
            swept.tasks = await self._store.upkeep.drop_tasks(retained, _ROWS)
            swept.more = swept.more or swept.tasks >= _ROWS

    async def _trim(self, swept: Swept, retained: int | None) -> None:
        if retained is not None:
            swept.trimmed = await self._trimmer.step(retained)
            swept.more = swept.more or swept.trimmed > 0

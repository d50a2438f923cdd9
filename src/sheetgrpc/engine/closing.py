"""The time that a stop has: what it waits for within it, and what it does with who does not end.

Knows tasks and nothing of what they do.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from sheetgrpc.clock import monotonic

log = structlog.get_logger(__name__)

LAST_SECONDS = 3.0
"""Beyond its time, in all: to write down how runs ended, and to let go of the database."""
_FLOOR_SECONDS = 0.5  # what each part has, even where those before it took everything


class Closing:
    """A stop, part by part, each within what is left of one time."""

    def __init__(self) -> None:
        self._until: float | None = None
        self._hurried = asyncio.Event()

    def begin(self, grace: float | None) -> None:
        """It has so many seconds from now; without them there is no hurry."""
        self._until = None if grace is None else monotonic() + grace + LAST_SECONDS

    def hurry(self) -> None:
        """It has no more time than the last of it."""
        self._until = min(monotonic() + LAST_SECONDS, self._until or float("inf"))
        self._hurried.set()

    async def finish(self, *works: Coroutine[Any, Any, None]) -> None:
        """Does these side by side. What has not ended in time is cancelled, and left behind if that does not help.

        Raises what they raise, once all are over.
        """
        tasks = {asyncio.create_task(work) for work in works}
        try:
            await self._wait(tasks)
        finally:
            late = {task for task in tasks if not task.done()}
            for task in late:
                task.add_done_callback(_see)
                task.cancel()
        if late:
            log.warning("stop.late", parts=sorted(getattr(task.get_coro(), "__qualname__", "") for task in late))
            await asyncio.wait(late, timeout=_FLOOR_SECONDS)
        for task in tasks - late:
            task.result()

    async def _wait(self, tasks: "set[asyncio.Task[None]]") -> None:
        """Until all have ended or it is time, which may come sooner than it was to at first."""
        began = monotonic()
        over, hurried = asyncio.ensure_future(asyncio.wait(tasks)), asyncio.ensure_future(self._hurried.wait())
        try:
            while not over.done():
                left = None if self._until is None else max(self._until, began + _FLOOR_SECONDS) - monotonic()
                if left is not None and left <= 0:
                    break
                wanted = {over} if hurried.done() else {over, hurried}
                await asyncio.wait(wanted, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()
            hurried.cancel()


async def settle_all(tasks: "set[asyncio.Task[Any]]") -> None:
    """Waits until there are none of these; cancelled, cancels them."""
    try:
        while tasks:
            await asyncio.wait(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        raise


def _see(task: "asyncio.Task[None]") -> None:
    """Takes what became of a task that nobody waits for any more."""
    if not task.cancelled():
        task.exception()

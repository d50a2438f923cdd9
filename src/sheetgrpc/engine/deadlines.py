"""Things that are to happen by a certain time: a stream's next message, or its reader taking the last.

Nearly all of them do, and nothing comes of their deadlines. With a timer each, an update to a thousand watchers would
set and cancel two thousand: here all that are told of the same way share one, which looks when the first may be due.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")

_GRAIN = 0.02  # seconds between two looks at least: each goes through all that is there


class Deadlines(Generic[K]):
    """By key, until when each is to have happened; `missed` is called once for each that has not."""

    def __init__(self, missed: Callable[[K], None]) -> None:
        self._missed = missed
        self._until: dict[K, float] = {}  # by the loop's clock, in the order in which they came
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many are waited for."""
        return len(self._until)

    def add(self, key: K, seconds: float) -> None:
        """This is to happen within so long from now."""
        loop = asyncio.get_running_loop()
        until = self._until[key] = loop.time() + seconds
        if self._timer is not None and self._timer.when() > until:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = loop.call_at(until, self._look)

    def drop(self, key: K) -> None:
        """It has happened, or is no longer waited for."""
        self._until.pop(key, None)

    def take(self) -> dict[K, float]:
        """All that are there, which then are not."""
        taken, self._until = self._until, {}
        return taken

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for key in [key for key, until in self._until.items() if until <= now]:
            self.drop(key)
            self._missed(key)
        self._timer = None
        if self._until:
            self._timer = loop.call_at(max(min(self._until.values()), now + _GRAIN), self._look)


class Waiters(Deadlines["asyncio.Future[bool]"]):
    """Those who wait for a change; whoever tells them of it takes them, and answers each with True."""

    def __init__(self) -> None:
        super().__init__(_give_up)

    async def wait(self, seconds: float) -> bool:
        """Waits for the change; False where there is none for so long."""
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.add(waiter, seconds)
        try:
            return await waiter
        finally:
            self.drop(waiter)


def _give_up(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(False)  # what it answers

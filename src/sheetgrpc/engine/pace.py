"""Who goes first on the event loop: calls that somebody waits for, then streams, a few at a time.

A message to one stream costs the loop about 50 us, so an event that a thousand watch is 50 ms of work. It goes out in
small batches: one a turn of the loop while no call is under way, one in three milliseconds while some are. The streams
get their share of a busy server that way, however long it is busy, and no call waits for more than a batch. Only so
many messages are on their way at once: else a slow machine sends a thousand, and they all come back in one turn of the
loop. Who waits for a turn holds nothing but its place; what it missed meanwhile it reads then.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TypeAlias

from sheetgrpc.clock import monotonic

Turn: TypeAlias = "asyncio.Future[bool]"

_BATCH = 4  # streams
_SENDING = 16  # streams that have had their turn and whose message is not sent yet
_STALLED = 0.05  # seconds without one that is sent after which those on their way are given up for stalled
_PAUSE = 0.003  # seconds between two batches while calls are under way
_LULL = 0.002  # seconds after a call in which the caller's next one is likely


class Pace:
    """Gives streams their turns, first come, first served."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """`clock` answers seconds."""
        self._clock = clock
        self._calls = 0
        self._quiet_from = float("-inf")
        self._queue: deque[Turn] = deque()
        self._running = False
        self._sending = 0
        self._full: asyncio.TimerHandle | None = None
        self._first = _First(self)

    def first(self) -> AbstractContextManager[None]:
        """What runs within goes before the streams."""
        return self._first

    def enter(self) -> None:
        """A call that goes before the streams begins."""
        self._calls += 1

    def leave(self) -> None:
        """One has ended."""
        self._calls -= 1
        self._quiet_from = self._clock() + _LULL

    async def turn(self) -> None:
        """Waits for a turn: the right to send one message, until `sent` is called."""
        turn: Turn = asyncio.get_running_loop().create_future()
        self.give([turn])
        await turn

    def give(self, turns: Iterable[Turn]) -> None:
        """Answers each of these with True when its turn has come, unless it is done before."""
        self._queue.extend(turns)
        if self._queue and not self._running:
            self._running = True
            self._go_on()

    def sent(self) -> None:
        """Tells that what somebody had its turn for is done."""
        self._sending = max(0, self._sending - 1)
        if self._full is not None:
            self._full.cancel()
            self._full = None
            self._go_on()

    def _go_on(self) -> None:
        loop = asyncio.get_running_loop()
        if self._sending >= _SENDING:
            self._full = loop.call_later(_STALLED, self._give_up)
        elif self._calls or self._clock() < self._quiet_from:
            loop.call_later(_PAUSE, self._serve)
        else:
            loop.call_soon(self._serve)

    def _give_up(self) -> None:
        self._full = None
        self._sending = 0
        self._go_on()

    def _serve(self) -> None:
        left = _BATCH
        while left and self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                turn.set_result(True)
                left -= 1
        self._sending += _BATCH - left
        self._running = bool(self._queue)
        if self._running:
            self._go_on()


class _First(AbstractContextManager[None]):
    """Every call goes through it: a generator would cost each some microseconds."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace

    def __enter__(self) -> None:
        self._pace.enter()

    def __exit__(self, *_: object) -> None:
        self._pace.leave()

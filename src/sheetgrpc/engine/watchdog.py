"""Notices when one write of a run takes longer than it may; knows no database and ends nothing itself."""

import asyncio
from collections.abc import Callable

from sheetgrpc.clock import monotonic
from sheetgrpc.planning.model import Results

_LOOKS = 4  # in the span: it is noticed at most a quarter late


class Watchdog:
    """Looks at a run from the loop while a thread writes it."""

    def __init__(
        self,
        seconds: float,
        results: Results,
        bark: Callable[[int], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`bark` is told the statement that runs for so long; after that nothing more is looked at."""
        self._seconds = seconds
        self._results = results
        self._bark = bark
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._seen, self._since = -1, 0.0
        self._timer = self._loop.call_later(seconds / _LOOKS, self.look)

    def cancel(self) -> None:
        """Looks no more."""
        self._timer.cancel()

    def look(self) -> None:
        """Takes note of what runs, and barks if that is the same for too long."""
        now, writes, running = self._clock(), self._results.writes, self._results.running
        if running < 0 or writes != self._seen:
            self._seen, self._since = writes, now
        elif now - self._since >= self._seconds:
            self._bark(running)
            return
        self._timer = self._loop.call_later(self._seconds / _LOOKS, self.look)

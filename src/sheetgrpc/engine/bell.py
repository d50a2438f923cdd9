"""Waiting for a time or a ring, whichever comes first."""

import asyncio
from contextlib import suppress


class Bell:
    """One waits, anybody rings. A ring while nobody waits is heard at the next wait."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Ends the wait."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Waits for a ring, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()

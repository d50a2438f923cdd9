"""When a call is sent again, and after how long; knows nothing of what is called.

Only what the server says was not judged is sent again: UNAVAILABLE, and a CANCELLED that nobody here asked for. The
same request id goes with it, so a first try that did take effect is found, not doubled.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sheetgrpc.client.errors import SheetgrpcError, Unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how patiently. `sleep` and `random` are there to be replaced in tests."""

    attempts: int = 8
    """Tries in all; 1 never tries again. A stream that moved on counts from the start."""
    first: float = 0.1
    """Seconds before the second try; doubles from try to try."""
    longest: float = 5.0
    """Seconds that no pause exceeds, unless the server asks for more."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random

    def pause(self, error: SheetgrpcError, failures: int) -> float | None:
        """Seconds to wait after this many failures in a row, or None: do not try again.

        Between half and all of the doubling step, so that callers who failed together do not come back together; a
        server's advice is the least, with the step on top.
        """
        if not isinstance(error, Unavailable) or failures >= self.attempts:
            return None
        step = min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
        return (error.retry_after or 0.0) + step * (0.5 + self.random() / 2)


NEVER = Retry(attempts=1)
"""Takes the first answer, whatever it is."""

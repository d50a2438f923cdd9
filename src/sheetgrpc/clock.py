"""Time and chance enter here and nowhere else: a command gets one `Draw`, all it makes follows from it.

Ids are ULIDs (26 Crockford characters, time first), rising strictly within a process even when the wall clock stands
or goes back. Tests inject a `Draws` with a fixed clock and entropy.
"""

import re
import secrets
import time
from collections.abc import Callable

import msgspec

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [high + low for high in _CROCKFORD for low in _CROCKFORD]
_SHIFTS = range(120, -1, -10)
_RANDOM_BITS = 80
_ULID = re.compile(f"[0-7][{_CROCKFORD}]{{25}}")


class Draw(msgspec.Struct, frozen=True, gc=False):
    """What a command knows of time and chance: `now` in microseconds since 1970 UTC, a fresh ULID, 64 random bits."""

    now: int
    id: str
    seed: int


def wall_clock() -> int:
    """Microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def monotonic() -> float:
    """Seconds from an arbitrary point, never going back."""
    return time.monotonic()


class Draws:
    """Hands out draws whose ids rise strictly."""

    def __init__(
        self,
        now: Callable[[], int] = wall_clock,
        entropy: Callable[[int], int] = secrets.randbits,
        monotonic: Callable[[], float] = monotonic,
    ) -> None:
        """`now` answers microseconds, `entropy(n)` n random bits, `monotonic` seconds that never go back."""
        self.monotonic = monotonic
        self._now = now
        self._entropy = entropy
        self._millisecond = 0
        self._random = 0

    def now(self) -> int:
        """Microseconds since 1970 UTC, where no id is needed."""
        return self._now()

    def draw(self) -> Draw:
        """The next draw."""
        now = self._now()
        millisecond = now // 1000
        if millisecond > self._millisecond:
            # One bit is left clear, so that counting up within this millisecond has room.
            self._millisecond, self._random = millisecond, self._entropy(_RANDOM_BITS - 1)
        else:
            self._random += 1 + self._entropy(16)
        return Draw(now=now, id=ulid(self._millisecond, self._random), seed=self._entropy(64))


def ulid(millisecond: int, random: int) -> str:
    """The ULID of a time (48 bits, milliseconds) and 80 random bits."""
    number = (millisecond << _RANDOM_BITS) | random
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])


def is_ulid(text: str) -> bool:
    """Whether it is one as `ulid` writes it."""
    return _ULID.fullmatch(text) is not None

"""When a session's time has run out: pure arithmetic over its row, who watches it, and how far the clock is trusted.

A server that was away, or whose clock has jumped, cannot tell silence from its own absence. So a lease is counted from
`since`, the start of this server's uninterrupted time, where that is later than the last sign of life; and after a jump
nothing ends by retention for a day, which is time enough for somebody to put the clock right.
"""

from typing import Literal

from sheetgrpc.clock import Draws
from sheetgrpc.engine.presence import Presence
from sheetgrpc.session.model import State
from sheetgrpc.store.records import SessionRow

SECOND = 1_000_000
TOLERANCE = 5 * SECOND
"""How far the wall clock may go astray from the monotonic one between two looks, in microseconds."""
_DEFERRED = 24 * 3600 * SECOND


class Lifetimes:
    """The deadlines of sessions, as this server sees them."""

    def __init__(self, draws: Draws, presence: Presence, retention: int) -> None:
        """`retention` is how long a session is kept without a sign of life, and after its end, in microseconds."""
        self._draws = draws
        self._presence = presence
        self._retention = retention
        self._wall = draws.now()
        self._monotonic = draws.monotonic()
        self._deferred = 0  # nothing ends by retention before
        self.since = self._wall
        """Start of the time over which this server's clock is known to have run evenly."""

    def observe(self) -> int:
        """The time now. Compares the clocks with those at the last look; a jump of the wall clock begins a new time."""
        wall, monotonic = self._draws.now(), self._draws.monotonic()
        elapsed = round((monotonic - self._monotonic) * SECOND)
        if abs(wall - self._wall - elapsed) > TOLERANCE:
            self.since = wall
            self._deferred = wall + _DEFERRED
        self._wall, self._monotonic = wall, monotonic
        return wall

    def retained_since(self, now: int) -> int | None:
        """Live and ended sessions with nothing after this are to go; None while a jump of the clock defers it all."""
        return now - self._retention if now >= self._deferred else None

    def deadline(self, row: SessionRow) -> int | None:
        """When the session expires, or is purged once it has ended; None while nothing makes it."""
        session = row.session
        if session.lifecycle.terminal:
            return None if session.ended_at is None else max(session.ended_at + self._retention, self._deferred)
        if session.state is State.EXECUTING:
            return None
        last = self._last_sign(row)
        if session.lease is None:
            return max(last + self._retention, self._deferred)
        return max(last, self.since) + session.lease

    def due(self, row: SessionRow) -> Literal["lease", "retention"] | None:
        """What the session expires by now; None if it does not, or has already ended."""
        if row.session.lifecycle.terminal or self._presence.watched(row.session.id):
            return None
        now = self.observe()
        if row.active_at <= now < row.active_at + (self._retention if row.session.lease is None else row.session.lease):
            return None  # nothing makes it end sooner; as nearly always
        deadline = self.deadline(row)
        if deadline is None or now < deadline:
            return None
        return "retention" if row.session.lease is None else "lease"

    def _last_sign(self, row: SessionRow) -> int:
        if self._presence.watched(row.session.id):
            return self._wall
        left = self._presence.left_at(row.session.id)
        return max(self._past(row.active_at), 0 if left is None else self._past(left))

    def _past(self, at: int) -> int:
        """A time that is yet to come was told by a clock that has been set back since: it was before that, then."""
        return at if at <= self._wall + TOLERANCE else self.since

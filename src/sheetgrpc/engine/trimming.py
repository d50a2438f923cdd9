"""Takes the oldest events off logs that have grown long, and keeps what they fold to as the log's base."""

from itertools import takewhile

from sheetgrpc.session.evolution import fold
from sheetgrpc.session.model import Session
from sheetgrpc.store.base import Store

_LOGS = 20  # looked at a sweep
_PIECE = 500  # events a transaction


class Trimmer:
    """Goes through the long logs of live sessions, a few at a time, round and round."""

    def __init__(self, store: Store, max_events: int) -> None:
        """A log keeps at least `max_events`, however old they are."""
        self._store = store
        self._max_events = max_events
        self._after = ""

    async def step(self, before: int) -> int:
        """Trims events from before this time (microseconds since 1970 UTC) off the next logs; how many they were."""
        found = await self._store.upkeep.long_logs(self._max_events, self._after, _LOGS)
        self._after = found[-1] if len(found) == _LOGS else ""
        return sum([await self.trim(session_id, before) for session_id in found])

    async def trim(self, session_id: str, before: int) -> int:
        """Trims one piece off one log; how many events it was. 0 too where the session has moved on meanwhile."""
        row = await self._store.session(session_id)
        count = last_spare(row.session, self._max_events) - row.oldest_sequence + 1
        if count <= 0:
            return 0
        logged = await self._store.events(session_id, row.oldest_sequence - 1, min(count, _PIECE))
        old = [one.event for one in takewhile(lambda one: one.event.at <= before, logged)]
        if not old:
            return 0
        base = fold(old, await self._store.base(session_id))
        return len(old) if await self._store.upkeep.trim(row.session, base) else 0


def last_spare(session: Session, max_events: int) -> int:
    """The last event that may be trimmed: not one of the newest, nor one that an undo or redo goes back to."""
    stacks = (*session.undo, *session.redo)
    return min(session.version - max(max_events, 1), min(stacks, default=session.version) - 1)

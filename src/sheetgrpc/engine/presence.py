"""Which sessions are watched: that is a sign of life too, though nothing is written for it as it goes on.

A session does not expire while somebody watches it. When the last watcher leaves, that moment counts as activity: here
at once, in the database with the next sweep. Now and then a sweep also writes that a session is still watched, so that
a crash does not lose it; where servers share the database, sooner than the others could take it for dead.
"""

from collections.abc import Callable, Mapping

_PULSE = 60_000_000  # microseconds between two writes for a session that stays watched
_SIGNS = 3  # a lease, where servers share the database


class Presence:
    """Who is there, and when who is not was last."""

    def __init__(self, now: Callable[[], int], *, shared: bool = False) -> None:
        """`now` answers microseconds since 1970 UTC; `shared`: other servers may expire what is watched here."""
        self._now = now
        self._shared = shared
        self._pulses: dict[str, int] = {}  # of those for which a minute is too long
        self._here: dict[str, int] = {}  # when it was last written, or came
        self._left: dict[str, int] = {}  # not written yet

    def enter(self, session_id: str, lease: int | None = None) -> None:
        """The session, which may have a lease in microseconds, is watched from now on."""
        self._here[session_id] = self._now()
        if self._shared and lease is not None:
            self._pulses[session_id] = min(_PULSE, lease // _SIGNS)
            self._here[session_id] -= _PULSE  # the others are to know soon

    def leave(self, session_id: str) -> None:
        """Nobody watches it any more."""
        del self._here[session_id]
        self._pulses.pop(session_id, None)
        self._left[session_id] = self._now()

    def watched(self, session_id: str) -> bool:
        """True while somebody watches it."""
        return session_id in self._here

    def left_at(self, session_id: str) -> int | None:
        """When its last watcher left, as long as that is not in the database."""
        return self._left.get(session_id)

    def owed(self, now: int, limit: int) -> dict[str, int]:
        """At most `limit` signs of life that the database should be told, by session."""
        owed = dict(list(self._left.items())[:limit])
        for session_id, written in self._here.items():
            if len(owed) >= limit:
                break
            if abs(now - written) >= self._pulses.get(session_id, _PULSE):
                owed[session_id] = now
        return owed

    def settle(self, written: Mapping[str, int]) -> None:
        """These are in the database now."""
        for session_id, at in written.items():
            if session_id in self._here:
                self._here[session_id] = at
            if self._left.get(session_id) == at:
                del self._left[session_id]

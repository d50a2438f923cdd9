"""Who watches a session: a place in its log, and a hint that the log has grown.

There is no queue a watcher. Each reads the log from where it stands, so a slow one reads later and holds nothing, and
what the database has not committed nobody is told. The hint only says when to look; a lost one costs a heartbeat.
"""

import asyncio
from collections import deque
from collections.abc import Callable

import msgspec

from sheetgrpc.engine.presence import Presence
from sheetgrpc.engine.views import SessionView
from sheetgrpc.session.events import ENDINGS, Event
from sheetgrpc.session.model import Session
from sheetgrpc.store.base import Store
from sheetgrpc.store.records import Changes, SessionRow

_PAGE = 16  # events a read while there are more: the most that a stalled watcher holds
_NEWEST = 4  # events a read once there are no more


class Logged(msgspec.Struct):
    """An event of the log. `encoded` is the edge's: the message's bytes, once somebody needed them."""

    sequence: int
    event: Event
    encoded: bytes | None = None


class Bookmark(msgspec.Struct, frozen=True):
    """Nothing happened for a while: every event up to this sequence was told."""

    sequence: int


class Reset(msgspec.Struct, frozen=True):
    """The log does not go on where the watcher stands: this is the session now, the log goes on after `sequence`."""

    view: SessionView
    sequence: int


class Topic:
    """The watchers of one session, waiting for its next commit."""

    def __init__(self) -> None:
        self.commits = 0
        self.watchers = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._read: tuple[int, int, list[Logged]] = (-1, 0, [])

    def wake(self) -> None:
        """The log has grown."""
        self.commits += 1
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def changed(self, seen: int, seconds: float) -> bool:
        """Waits until there are more commits than `seen`; False if there were none for so long."""
        if self.commits != seen:
            return True
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(seconds):
                await future
        except TimeoutError:
            return self.commits != seen
        finally:
            self._waiting.discard(future)
        return True

    def recall(self, seen: int, after: int) -> list[Logged] | None:
        """What another watcher at the same place has just read: a thousand that are woken together read once."""
        commits, position, found = self._read
        return found if (commits, position) == (seen, after) else None

    def keep(self, seen: int, after: int, found: list[Logged]) -> None:
        """Keeps what was read for those who come right after."""
        self._read = seen, after, found


class Topics:
    """The sessions that are watched."""

    def __init__(self, presence: Presence) -> None:
        """`presence` is told who is watched."""
        self._presence = presence
        self._topics: dict[str, Topic] = {}

    def publish(self, changes: Changes) -> None:
        """Wakes the watchers of every session that a commit has changed. Called after the commit, and only then."""
        if changes.events:
            self._wake(changes.session)
        if changes.loser is not None:
            self._wake(changes.loser.session)

    def join(self, session_id: str) -> Topic:
        """The session's topic, with one watcher more."""
        topic = self._topics.setdefault(session_id, Topic())
        topic.watchers += 1
        if topic.watchers == 1:
            self._presence.enter(session_id)
        return topic

    def leave(self, session_id: str) -> None:
        """One watcher less."""
        topic = self._topics[session_id]
        topic.watchers -= 1
        if not topic.watchers:
            del self._topics[session_id]
            self._presence.leave(session_id)

    def _wake(self, session: Session) -> None:
        topic = self._topics.get(session.id)
        if topic is not None:
            topic.wake()


class SessionWatcher:
    """One stream's place in a session's log."""

    def __init__(
        self,
        store: Store,
        topics: Topics,
        row: SessionRow,
        after: int,
        *,
        heartbeat: float,
        view: Callable[[SessionRow], SessionView],
        lost: bool = False,
    ) -> None:
        """Begins after the sequence `after`, or with a Reset if that is `lost` or not in the log.

        `heartbeat` is in seconds; `row` was read no later than now.
        """
        session = row.session
        self._store = store
        self._topics = topics
        self._topic = topics.join(session.id)
        self._session_id = session.id
        self._position = after
        self._heartbeat = heartbeat
        self._view = view
        self._lost = lost or not row.oldest_sequence - 1 <= after <= session.version
        self._ended = session.lifecycle.terminal
        self._behind = True
        self._unsent: deque[Logged] = deque()
        self._closed = False

    async def next(self) -> Logged | Bookmark | Reset | None:
        """The next event, a bookmark where none came for a heartbeat, None once the session's last event was told.

        A reset where events between were trimmed, or the log is not the one that the watcher knew.
        """
        while not self._closed:
            if self._lost or (self._unsent and self._unsent[0].sequence != self._position + 1):
                return await self._begin_anew()
            if self._unsent:
                return self._advance(self._unsent.popleft())
            seen = self._topic.commits
            self._unsent.extend(await self._read_on(seen))
            if self._unsent:
                continue
            if self._ended:
                break
            if await self._topic.changed(seen, self._heartbeat):
                continue
            self._unsent.extend(await self._read(_NEWEST))  # in case a hint was lost
            if not self._unsent:
                return Bookmark(self._position)
        return None

    def close(self) -> None:
        """The stream is gone."""
        if not self._closed:
            self._closed = True
            self._unsent.clear()
            self._topics.leave(self._session_id)

    def _advance(self, logged: Logged) -> Logged:
        self._position = logged.sequence
        self._ended = self._ended or isinstance(logged.event, ENDINGS)
        return logged

    async def _begin_anew(self) -> Reset:
        row = await self._store.session(self._session_id)
        self._unsent.clear()
        self._lost = False
        self._position = row.session.version
        self._ended = row.session.lifecycle.terminal
        return Reset(self._view(row), self._position)

    async def _read_on(self, seen: int) -> list[Logged]:
        if self._behind:
            found = await self._read(_PAGE)
            self._behind = len(found) == _PAGE
            return found
        kept = self._topic.recall(seen, self._position)
        if kept is None:
            kept = await self._read(_NEWEST)
            self._topic.keep(seen, self._position, kept)
        self._behind = len(kept) == _NEWEST
        return kept

    async def _read(self, limit: int) -> list[Logged]:
        rows = await self._store.events(self._session_id, self._position, limit)
        return [Logged(row.sequence, row.event) for row in rows]

"""Who watches a session: a place in its log, and a hint that the log has grown.

There is no queue a watcher: each has a position and nothing else, so a stalled one holds nothing. The last events of a
session are kept for all who watch it, as they were committed or as one of them read them; who is further behind reads
the log. What the database has not committed nobody is told. The hint only says when to look; a lost one costs a
heartbeat. When each may send is the pace's to say.
"""

from collections.abc import Callable, Sequence

import msgspec

from sheetgrpc.engine.deadlines import Waiters
from sheetgrpc.engine.pace import Pace
from sheetgrpc.engine.presence import Presence
from sheetgrpc.engine.views import SessionView
from sheetgrpc.session.events import ENDINGS, Event
from sheetgrpc.session.model import Session
from sheetgrpc.store.base import Store
from sheetgrpc.store.records import Changes, EventRow, SessionRow

_KEPT = 64  # events kept a session that is watched
_PAGE = 4  # events a read: the next few watchers at this place are spared theirs


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
    """The watchers of one session: those that wait for its next commit, and what it told last."""

    def __init__(self, pace: Pace) -> None:
        self.watchers = 0
        self.head = 0  # sequence of the last event that anybody here knows of
        self._pace = pace
        self._waiting = Waiters()
        self._kept: dict[int, Logged] = {}

    def wake(self, session: Session, events: Sequence[Event]) -> None:
        """The log has grown by these events, which led to this session: those who wait get their turns."""
        first = session.version - len(events) + 1
        for sequence, event in enumerate(events, first):
            self._keep(sequence, event)
        self.head = max(self.head, session.version)
        self._pace.give(self._waiting.take())

    def hint(self, head: int) -> None:
        """Somebody says that the log is as long as this."""
        if head > self.head:
            self.head = head
            self._pace.give(self._waiting.take())

    async def changed(self, seconds: float) -> bool:
        """Waits for a turn after the next commit; False if there was none for so long."""
        return await self._waiting.wait(seconds)

    def recall(self, after: int) -> Logged | None:
        """The event after this sequence, if it is kept."""
        return self._kept.get(after + 1)

    def keep(self, after: int, head: int, rows: Sequence[EventRow]) -> Logged | None:
        """Keeps what a read found after this sequence and answers the first; `head` is what it was before the read."""
        found = [self._keep(row.sequence, row.event) for row in rows]
        if not found and self.head == head:
            self.head = after  # what there was is purged
        return found[0] if found else None

    def _keep(self, sequence: int, event: Event) -> Logged:
        logged = self._kept.setdefault(sequence, Logged(sequence, event))
        if len(self._kept) > _KEPT:
            del self._kept[next(iter(self._kept))]
        return logged


class Topics:
    """The sessions that are watched."""

    def __init__(self, presence: Presence, tell: Callable[[str], None] | None = None) -> None:
        """`presence` is told who is watched, and with `tell` other servers which log has grown."""
        self.pace = Pace()
        self._tell = tell
        self._presence = presence
        self._topics: dict[str, Topic] = {}

    def publish(self, changes: Changes) -> None:
        """Wakes the watchers of every session that a commit has changed. Called after the commit, and only then."""
        if changes.events:
            self._wake(changes.session, changes.events)
        if changes.loser is not None:
            self._wake(changes.loser.session, changes.loser.events)

    def hint(self, session_id: str, head: int) -> None:
        """Another server says that a log is as long as this."""
        topic = self._topics.get(session_id)
        if topic is not None:
            topic.hint(head)

    def heads(self) -> dict[str, int]:
        """The sessions that are watched, and how far their logs are for all that is known here."""
        return {session_id: topic.head for session_id, topic in self._topics.items()}

    def join(self, session_id: str, lease: int | None = None) -> Topic:
        """The session's topic, with one watcher more; `lease` is the session's."""
        topic = self._topics.get(session_id)
        if topic is None:
            topic = self._topics[session_id] = Topic(self.pace)
            self._presence.enter(session_id, lease)
        topic.watchers += 1
        return topic

    def leave(self, session_id: str) -> None:
        """One watcher less."""
        topic = self._topics[session_id]
        topic.watchers -= 1
        if not topic.watchers:
            del self._topics[session_id]
            self._presence.leave(session_id)

    def _wake(self, session: Session, events: Sequence[Event]) -> None:
        topic = self._topics.get(session.id)
        if topic is not None:
            topic.wake(session, events)
        if self._tell is not None:
            self._tell(f"s:{session.id}:{session.version}")


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
        self._topic = topics.join(session.id, session.lease)
        self._session_id = session.id
        self._position = after
        self._heartbeat = heartbeat
        self._view = view
        self._lost = lost or not row.oldest_sequence - 1 <= after <= session.version
        self._ended = session.lifecycle.terminal
        self._looked = False  # in the log, to its end: what was committed before it joined the topic did not tell
        self._sending = False
        self._closed = False

    async def next(self) -> Logged | Bookmark | Reset | None:
        """The next event, a bookmark where none came for a heartbeat, None once the session's last event was told.

        A reset where events between were trimmed, or the log is not the one that the watcher knew.
        """
        while not self._closed:
            self._end_turn()
            hinted = self._lost or not self._looked or self._position < self._topic.head
            if self._ended and not hinted:
                break
            told = hinted or await self._topic.changed(self._heartbeat)
            if hinted or not told:
                await self._topics.pace.turn()
            self._sending = True
            found = await self._find()
            if self._lost:
                return await self._begin_anew()
            if found is not None:
                return found
            self._looked = True
            if not told:
                return Bookmark(self._position)
        return None

    def close(self) -> None:
        """The stream is gone."""
        if not self._closed:
            self._closed = True
            self._end_turn()
            self._topics.leave(self._session_id)

    def _end_turn(self) -> None:
        if self._sending:
            self._sending = False
            self._topics.pace.sent()

    async def _begin_anew(self) -> Reset:
        row = await self._store.session(self._session_id)
        self._lost = False
        self._position = row.session.version
        self._ended = row.session.lifecycle.terminal
        return Reset(self._view(row), self._position)

    async def _find(self) -> Logged | None:
        """The event after its position, which it then stands at; where that is trimmed, it is lost."""
        if self._lost:
            return None
        found = self._topic.recall(self._position)
        if found is None:
            head = self._topic.head
            rows = await self._store.events(self._session_id, self._position, _PAGE)
            self._lost = bool(rows) and rows[0].sequence != self._position + 1
            if self._lost:
                return None
            found = self._topic.keep(self._position, head, rows)
        if found is not None:
            self._position = found.sequence
            self._ended = self._ended or isinstance(found.event, ENDINGS)
        return found

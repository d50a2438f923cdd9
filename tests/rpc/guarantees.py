"""etcd's guarantees of a watch, each as a check by its name of what a client recorded, and the recorder.

A recording is what one client saw of one session over all its connections: each began after the sequence that the one
before had reached, and was broken off at some point. The log is what ListSessionEvents tells once all is over.
"""

import itertools
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

import grpc
from tests.rpc.serving import Running

from sheetgrpc.v1.session_service_pb2 import SessionEvent, WatchSessionRequest, WatchSessionResponse


@dataclass
class Connection:
    """One call: where it began, what came."""

    after: int
    messages: list[WatchSessionResponse] = field(default_factory=list)

    @property
    def events(self) -> list[SessionEvent]:
        return [one.event for one in self.messages if one.WhichOneof("update") == "event"]


Recording = Sequence[Connection]
Seen = Callable[[SessionEvent], Awaitable[None]]


async def record(server: Running, session: str, chance: random.Random, seen: Seen) -> list[Connection]:
    """Watches a session to its end over connections that are broken off at random."""
    recording: list[Connection] = []
    after = 0
    while True:
        connection = Connection(after)
        recording.append(connection)
        call = server.sessions.WatchSession(WatchSessionRequest(session=session, after_sequence=after))
        for _ in range(chance.randrange(1, 9)):
            message = await call.read()
            if message is grpc.aio.EOF:
                assert await call.code() is grpc.StatusCode.OK
                return recording
            connection.messages.append(message)
            if message.WhichOneof("update") == "event":
                await seen(message.event)
            after = getattr(message, message.WhichOneof("update")).sequence
        call.cancel()


def check(recording: Recording, log: Sequence[SessionEvent], boundaries: set[int]) -> list[str]:
    """The names of the guarantees that do not hold; `boundaries` are the sequences at which transactions ended."""
    found = {
        "ordered": is_ordered(recording),
        "unique": is_unique(recording),
        "reliable": is_reliable(recording, log),
        "atomic": is_atomic(recording, boundaries),
        "resumable": is_resumable(recording),
        "bookmarkable": is_bookmarkable(recording),
    }
    return [name for name, holds in found.items() if not holds]


def is_ordered(recording: Recording) -> bool:
    """Events come in the order of their sequences."""
    return all(one.sequence <= other.sequence for one, other in _neighbours(_all_events(recording)))


def is_unique(recording: Recording) -> bool:
    """No event comes twice."""
    sequences = [event.sequence for event in _all_events(recording)]
    return len(sequences) == len(set(sequences))


def is_reliable(recording: Recording, log: Sequence[SessionEvent]) -> bool:
    """No event is left out, and each is what the log has."""
    received = {event.sequence: event for event in _all_events(recording)}
    return all(received.get(event.sequence) == event for event in log) and len(received) == len(log)


def is_atomic(recording: Recording, boundaries: set[int]) -> bool:
    """A bookmark, or the end, never stands between two events of one transaction."""
    marks = {one.bookmark.sequence for call in recording for one in call.messages if one.HasField("bookmark")}
    last = max((event.sequence for event in _all_events(recording)), default=0)
    return marks | {last} <= boundaries | {0}


def is_resumable(recording: Recording) -> bool:
    """A connection goes on right after the sequence it was given."""
    return all(not call.events or call.events[0].sequence == call.after + 1 for call in recording)


def is_bookmarkable(recording: Recording) -> bool:
    """A bookmark has the sequence of all that came before it, and all that comes after is beyond."""
    for call in recording:
        position = call.after
        for message in call.messages:
            if message.HasField("bookmark"):
                if message.bookmark.sequence != position:
                    return False
            else:
                position = message.event.sequence
    return True


def _all_events(recording: Recording) -> list[SessionEvent]:
    return [event for call in recording for event in call.events]


def _neighbours(events: Sequence[SessionEvent]) -> Iterator[tuple[SessionEvent, SessionEvent]]:
    return itertools.pairwise(events)

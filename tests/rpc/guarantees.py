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
            after = getattr(message, message.WhichOneof("update")).sequence  # of an event, a bookmark, a reset
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
        "resettable": is_resettable(recording),
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
    """No event is left out that no reset stood for, and each is what the log has, as far as it was not trimmed."""
    received = {event.sequence: event for event in _all_events(recording)}
    kept = {event.sequence: event for event in log}
    missing = kept.keys() - received.keys() - _stood_for(recording)
    oldest = min(kept, default=0)
    return not missing and all(kept.get(at) == event for at, event in received.items() if at >= oldest)


def is_atomic(recording: Recording, boundaries: set[int]) -> bool:
    """A bookmark, or the end, never stands between two events of one transaction."""
    marks = {one.bookmark.sequence for call in recording for one in call.messages if one.HasField("bookmark")}
    marks |= {one.reset.sequence for call in recording for one in call.messages if one.HasField("reset")}
    last = max((event.sequence for event in _all_events(recording)), default=0)
    return marks | {last} <= boundaries | {0}


def is_resumable(recording: Recording) -> bool:
    """A connection goes on right after the sequence it was given, or right after its reset."""
    return all(
        event.sequence == position + 1 for call in recording for position, event in _steps(call) if event is not None
    )


def is_resettable(recording: Recording) -> bool:
    """A reset never goes back behind what the same store told before, and brings the session of its sequence."""
    for call in recording:
        position = 0
        for message in call.messages:
            sequence = getattr(message, message.WhichOneof("update")).sequence
            if message.HasField("reset") and not position <= sequence == message.reset.session.version:
                return False
            position = sequence
    return True


def is_bookmarkable(recording: Recording) -> bool:
    """A bookmark has the sequence of all that came before it, and all that comes after is beyond."""
    for call in recording:
        position = call.after
        for message in call.messages:
            sequence = getattr(message, message.WhichOneof("update")).sequence
            if message.HasField("bookmark") and sequence != position:
                return False
            position = sequence
    return True


def _steps(call: Connection) -> Iterator[tuple[int, SessionEvent | None]]:
    """Each message's event, or None, with the sequence that the connection had reached before it."""
    position = call.after
    for message in call.messages:
        yield position, message.event if message.HasField("event") else None
        position = getattr(message, message.WhichOneof("update")).sequence


def _stood_for(recording: Recording) -> set[int]:
    """The sequences of events that resets took the place of."""
    passed: set[int] = set()
    for call in recording:
        for message in call.messages:
            if message.HasField("reset"):
                passed |= set(range(1, message.reset.sequence + 1))
    return passed


def _all_events(recording: Recording) -> list[SessionEvent]:
    return [event for call in recording for event in call.events]


def _neighbours(events: Sequence[SessionEvent]) -> Iterator[tuple[SessionEvent, SessionEvent]]:
    return itertools.pairwise(events)

"""Lines of a terminal for a session's log, and what a session is gone on with. Knows messages, no calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sheetgrpc.client.session import Session
from sheetgrpc.client.words import EntryKind, Json
from sheetgrpc.v1.session_service_pb2 import SessionEntry, SessionEntryKind, SessionEvent


@dataclass(frozen=True, slots=True)
class Resumed:
    """A session with the last of its events, by sequence (`session.now.event_count` tells how many there are in all).

    `warnings` tell, a line each, what of the caller is not as it was when the session was created.
    """

    session: Session
    events: Sequence[SessionEvent]
    warnings: Sequence[str]


def entry(kind: EntryKind, text: str, *, data: Mapping[str, Json] | None = None) -> SessionEntry:
    """A line to record with `Session.append_events`; `data` holds what JSON can hold."""
    line = SessionEntry(kind=SessionEntryKind.Value(f"SESSION_ENTRY_KIND_{kind}"), text=text)
    if data is not None:
        line.data.update(dict(data))
    return line

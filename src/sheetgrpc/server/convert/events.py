"""Writes the events of a session's log as messages."""

from typing import Any

import msgspec

from sheetgrpc.engine.watching import Bookmark, Logged, Reset
from sheetgrpc.server.convert.sessions import write_session
from sheetgrpc.server.convert.values import write_struct, write_time
from sheetgrpc.session.events import Event, event_type
from sheetgrpc.store.records import EventRow
from sheetgrpc.v1 import session_service_pb2

_NOT_PAYLOAD = ("type", "at", "actor")  # they have fields of their own


def write_event(row: EventRow | Logged) -> session_service_pb2.SessionEvent:
    """An event with its place in the log."""
    event = row.event
    return session_service_pb2.SessionEvent(
        sequence=row.sequence,
        time=write_time(event.at),
        type=event_type(event),
        payload=write_struct(_payload(event)),
        actor=event.actor,
    )


def encode_news(news: Logged | Bookmark | Reset) -> bytes:
    """The bytes of a message of WatchSession; those of an event are made once for all who read it together."""
    if isinstance(news, Bookmark):
        bookmark = session_service_pb2.Bookmark(sequence=news.sequence)
        return session_service_pb2.WatchSessionResponse(bookmark=bookmark).SerializeToString()
    if isinstance(news, Reset):
        reset = session_service_pb2.Reset(session=write_session(news.view), sequence=news.sequence)
        return session_service_pb2.WatchSessionResponse(reset=reset).SerializeToString()
    if news.encoded is None:
        news.encoded = session_service_pb2.WatchSessionResponse(event=write_event(news)).SerializeToString()
    return news.encoded


def _payload(event: Event) -> dict[str, Any]:  # Any: JSON values
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return {name: value for name, value in fields.items() if name not in _NOT_PAYLOAD}

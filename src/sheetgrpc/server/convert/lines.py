"""Reads what resuming a session and recording lines in it ask for."""

from google.protobuf.struct_pb2 import Struct

from sheetgrpc.config import PAGE_LIMIT
from sheetgrpc.engine import intents
from sheetgrpc.errors import limit_exceeded
from sheetgrpc.server.convert.enums import ENTRY_KINDS
from sheetgrpc.server.convert.form import Form
from sheetgrpc.server.convert.requests import read_client
from sheetgrpc.server.convert.values import read_struct
from sheetgrpc.session.model import MAX_ENTRIES, Client, Entry, EntryKind
from sheetgrpc.v1 import session_service_pb2 as pb

MAX_TEXT = 16 * 1024
"""Characters of one entry's text."""
MAX_DATA_BYTES = 16 * 1024
"""Bytes of one entry's data."""
MAX_BYTES = 1024 * 1024
"""Bytes of all entries of one call: the answer brings them all back."""


def read_append_session_events(form: Form, request: pb.AppendSessionEventsRequest) -> intents.AppendSessionEvents:
    """AppendSessionEvents; LimitExceeded for entries that are more, or larger, than one call takes."""
    if len(request.entries) > MAX_ENTRIES:
        raise limit_exceeded("entries of one call", limit=MAX_ENTRIES, actual=len(request.entries))
    if (size := sum(entry.ByteSize() for entry in request.entries)) > MAX_BYTES:
        raise limit_exceeded("bytes of entries", limit=MAX_BYTES, actual=size)
    if not request.entries:
        form.refuse("entries", "must have a line at least")
    entries = (_read_entry(form, f"entries[{at}]", entry) for at, entry in enumerate(request.entries))
    return intents.AppendSessionEvents(entries=tuple(entries))


def read_recent(form: Form, request: pb.GetSessionRequest) -> tuple[int, Client | None]:
    """How many of the last events GetSession answers with, and what the caller is, if it tells."""
    count = form.count("recent_events", request.recent_events, default=0, limit=PAGE_LIMIT)
    return count, read_client(form, request.client) if request.HasField("client") else None


def _read_entry(form: Form, field: str, entry: pb.SessionEntry) -> Entry:
    kind = ENTRY_KINDS.read(form, f"{field}.kind", entry.kind)
    if len(entry.text) > MAX_TEXT:
        form.refuse(f"{field}.text", f"has {len(entry.text):,} characters; {MAX_TEXT:,} are allowed")
    return Entry(kind=kind or EntryKind.SYSTEM, text=entry.text, data=_read_data(form, f"{field}.data", entry.data))


def _read_data(form: Form, field: str, data: Struct) -> dict[str, object]:
    if (size := data.ByteSize()) > MAX_DATA_BYTES:
        form.refuse(field, f"has {size:,} bytes; {MAX_DATA_BYTES:,} are allowed")
    return read_struct(form, field, data)

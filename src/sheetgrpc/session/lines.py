"""The lines of a terminal that a session records: no layers, and nothing of the session but its log changes with them.

Pure, like machine.py, whose row lets them through in every state.
"""

from collections.abc import Mapping, Sequence

from sheetgrpc.errors import invalid_field, limit_exceeded
from sheetgrpc.session.events import AlertLine, CommandLine, Line, PromptLine, SystemLine, WarnLine
from sheetgrpc.session.model import MAX_ENTRIES, Entry, EntryKind

_LINES: Mapping[EntryKind, type[Line]] = {
    EntryKind.PROMPT: PromptLine,
    EntryKind.SYSTEM: SystemLine,
    EntryKind.COMMAND: CommandLine,
    EntryKind.WARN: WarnLine,
    EntryKind.ALERT: AlertLine,
}


def record_lines(entries: Sequence[Entry], at: int) -> tuple[Line, ...]:
    """An event each, in order; InvalidRequest for none at all, LimitExceeded for more than one command records."""
    if not entries:
        raise invalid_field("entries", "must have a line at least")
    if len(entries) > MAX_ENTRIES:
        raise limit_exceeded("entries of one call", limit=MAX_ENTRIES, actual=len(entries))
    return tuple(_LINES[entry.kind](at=at, text=entry.text, data=entry.data) for entry in entries)

"""`sheetgrpc resume` and `record`: a session's lines shown again, and new ones kept. Showing records nothing."""

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated

from cyclopts import Parameter
from google.protobuf.json_format import MessageToDict

from sheetgrpc.cli.connecting import introduce, reaching
from sheetgrpc.cli.documents import document_of, print_document
from sheetgrpc.cli.events import SessionName, show_event
from sheetgrpc.cli.failure import NOT_BEGUN, Failure
from sheetgrpc.cli.options import DEFAULT_ADDRESS, Address, AsJson, read_word
from sheetgrpc.cli.terminal import Terminal, plural, shown_time, stderr, stdout
from sheetgrpc.client import Resumed, Session, SessionEntry, SessionEvent, entry, words
from sheetgrpc.client.words import EntryKind

BATCH = 100
"""Lines that one call records."""
_STYLES: Mapping[str, str] = {
    "Prompt": "bold cyan",
    "System": "dim",
    "Command": "bold",
    "Warn": "yellow",
    "Alert": "bold red",
}


async def resume(
    session: SessionName,
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
    last: Annotated[int, Parameter(help="How many of the last events to show, 1000 at most.")] = 200,
    target: Annotated[str, Parameter(help="What you work against now; the address unless given.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show where a session stands and the end of its log; warns of what is not as it was when it was created."""
    if last < 0:
        raise Failure("--last must not be negative", NOT_BEGUN)
    client = introduce(target or address)
    async with reaching(address) as reached:
        found = await reached.sessions.resume(session, recent_events=last, client=client)
    for warning in found.warnings:
        stderr().line(("warning: ", "bold yellow"), warning)
    if as_json:
        now, events = document_of(found.session.now), [document_of(event) for event in found.events]
        print_document({"session": now, "recent_events": events, "warnings": list(found.warnings)})
        return
    terminal = stdout()
    _show_header(terminal, found)
    for event in found.events:
        _show(terminal, event)


async def record(
    session: SessionName,
    /,
    *text: Annotated[str, Parameter(help="The line; without any, each line of standard input is one.")],
    kind: Annotated[EntryKind, Parameter(converter=read_word, help="What the lines are.")],
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Record lines of a terminal in a session's log."""
    lines = [" ".join(text)] if text else _read_lines()
    if not lines:
        raise Failure("there is nothing to record; give a text, or lines on standard input", NOT_BEGUN)
    async with reaching(address) as client:
        found = await client.sessions.get(session)
        await _record(found, [entry(kind, line) for line in lines])
    stdout().line(f"recorded {plural(len(lines), 'line')} in session {found.id}")


async def _record(session: Session, entries: Sequence[SessionEntry]) -> None:
    for first in range(0, len(entries), BATCH):
        await session.append_events(entries[first : first + BATCH])


def _read_lines() -> list[str]:
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failure(f"<stdin> is not UTF-8: byte {error.start} is wrong", NOT_BEGUN) from error
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def _show_header(terminal: Terminal, found: Resumed) -> None:
    session = found.session.now
    shown, count = len(found.events), session.event_count
    state = f"{words.session_state(session.state)}, {words.lifecycle(session.lifecycle).lower()}"
    facts = {
        "session": session.id,
        "name": session.name,
        "state": f"{state}, version {session.version}",
        "started": shown_time(session.create_time),
        "ended": shown_time(session.end_time) if session.HasField("end_time") else "live",
        "parent": session.parent_id,
        "client": " ".join(filter(None, (session.client.name, session.client.version, session.client.target))),
        "allowed": ", ".join(session.allowed_actions),
        "events": f"showing last {shown:,} of {plural(count, 'event')}",
    }
    for label, fact in facts.items():
        if fact:
            terminal.line((f"{label:<9}", "bold"), fact)
    if shown:
        terminal.line()


def _show(terminal: Terminal, event: SessionEvent) -> None:
    """A recorded line as it was shown, marked with its kind; any other event with its facts."""
    style = _STYLES.get(event.type)
    if style is None:
        show_event(event)
        return
    payload = MessageToDict(event.payload)
    head = f"{event.sequence:>5}  {shown_time(event.time)}  {event.type.lower():<17}  "
    for line in str(payload.get("text", "")).splitlines() or [""]:
        terminal.line(head, (line, style))
        head = " " * len(head)

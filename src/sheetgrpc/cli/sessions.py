"""`sheetgrpc sessions` and `sheetgrpc show`: the sessions of a server, many in a line each or one in full."""

from collections.abc import AsyncIterator
from typing import Annotated, TypeVar

from cyclopts import Parameter

from sheetgrpc.cli.connecting import reaching
from sheetgrpc.cli.documents import document_of, print_document
from sheetgrpc.cli.options import DEFAULT_ADDRESS, Address, AsJson, read_word
from sheetgrpc.cli.terminal import Terminal, plural, shown_time, stdout
from sheetgrpc.client import words
from sheetgrpc.client.words import State
from sheetgrpc.v1.execution_pb2 import Execution
from sheetgrpc.v1.session_pb2 import Session

T = TypeVar("T")
MOST_EXECUTIONS = 10


async def sessions(
    *,
    address: Address = DEFAULT_ADDRESS,
    state: Annotated[State | None, Parameter(converter=read_word, help="Only sessions in this state.")] = None,
    limit: Annotated[int, Parameter(help="How many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List sessions, newest first."""
    limit = max(1, limit)
    async with reaching(address) as client:
        found = await first(limit, client.sessions.list(states=[state] if state else (), page_size=min(limit, 1000)))
    if as_json:
        print_document([document_of(session) for session in found])
        return
    terminal = stdout()
    if not found:
        terminal.line("no sessions")
        return
    terminal.columns([["session", "state", "lifecycle", "created", "name"], *map(_session_row, found)])


async def show(
    session: Annotated[str, Parameter(help="Its id, a unique prefix of that, or a label.")],
    /,
    *,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Show a session: where it stands, what may be done with it, what ran."""
    async with reaching(address) as client:
        found = (await client.sessions.get(session)).now
        runs = await first(MOST_EXECUTIONS, client.executions.list(session=found.id, page_size=MOST_EXECUTIONS))
    if as_json:
        print_document({"session": document_of(found), "executions": [document_of(run) for run in runs]})
        return
    terminal = stdout()
    _show_facts(terminal, found)
    if runs:
        terminal.line()
        rows = [["execution", "state", "mode", "statements", "submitted"], *map(_execution_row, runs)]
        terminal.columns(rows, numbers=frozenset({3}))


async def first(count: int, items: AsyncIterator[T]) -> list[T]:
    """So many of what is listed, if there are."""
    found: list[T] = []
    if count > 0:
        async for item in items:
            found.append(item)
            if len(found) == count:
                break
    return found


def _show_facts(terminal: Terminal, session: Session) -> None:
    lifecycle = words.lifecycle(session.lifecycle)
    facts = {
        "session": session.id,
        "name": session.name,
        "labels": ", ".join(session.labels),
        "parent": session.parent_id,
        "state": f"{words.session_state(session.state)}, {lifecycle.lower()}, version {session.version}",
        "scope": _scope(session),
        "template": _first_line(session.template),
        "sheet": session.sheet_id,
        "open": plural(session.unresolved_count, "name") + " to be resolved" if session.unresolved_count else "",
        "progress": f"{session.progress.completed:,} of {session.progress.total:,}" if session.progress.total else "",
        "symbols": _symbols(session),
        "allowed": ", ".join(session.allowed_actions),
        "created": shown_time(session.create_time),
        "updated": shown_time(session.update_time),
        "ended": shown_time(session.end_time) if session.HasField("end_time") else "",
        "lease": f"{session.lease.ToTimedelta()}" if session.HasField("lease") else "",
        "deleted" if session.HasField("end_time") else "expires": (
            shown_time(session.expire_time) if session.HasField("expire_time") else ""
        ),
    }
    for label, fact in facts.items():
        if fact:
            terminal.line((f"{label:<9}", "bold"), fact)


def _session_row(session: Session) -> list[str]:
    return [
        session.id,
        words.session_state(session.state),
        words.lifecycle(session.lifecycle),
        shown_time(session.create_time),
        ", ".join([session.name, *session.labels]) if session.name else ", ".join(session.labels),
    ]


def _execution_row(run: Execution) -> list[str]:
    return [
        run.id,
        words.execution_state(run.state),
        words.execution_mode(run.mode),
        f"{run.statements_total:,}",
        shown_time(run.submit_time),
    ]


def _scope(session: Session) -> str:
    if not session.HasField("scope"):
        return ""
    return f"{session.scope.entity_count:,} of {session.scope.entity_type} ({session.scope.source})"


def _symbols(session: Session) -> str:
    if not session.symbol_count:
        return ""
    names = ", ".join(f"@{name}" for name in sorted(session.symbols)[:5])
    return names + (f" and {session.symbol_count - 5:,} more" if session.symbol_count > 5 else "")


def _first_line(text: str) -> str:
    lines = text.strip().splitlines()
    return "" if not lines else lines[0] + (" ..." if len(lines) > 1 else "")

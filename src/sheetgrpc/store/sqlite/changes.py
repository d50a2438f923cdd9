"""Writes what one command changes and commits it, on the writer's thread, inside a transaction that is already open."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from sheetgrpc.errors import AlreadyExists, Reason, Unavailable
from sheetgrpc.planning.model import Key
from sheetgrpc.session import events as log
from sheetgrpc.session.model import Session
from sheetgrpc.store.base import ConstraintViolated
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.queue import QueueChange
from sheetgrpc.store.records import Changes, StoredReply
from sheetgrpc.store.sqlite.approvals import write_approval
from sheetgrpc.store.sqlite.queue import conflict, write_execution

_SQL = load_queries("sqlite")
_ITEMS = 2000  # records in one JSON array: what a statement reads at once
_STEPS = 20_000_000  # of SQLite's machine: about a second for finding which foreign key it was
_LOST = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_ERROR})

_encode = msgspec.json.Encoder().encode


def write_changes(connection: sqlite3.Connection, changes: Changes, now: int) -> None:
    """Everything but the COMMIT. Raises Conflict, AlreadyExists(LABEL_TAKEN)."""
    session = changes.session
    # Before all that may stand in the way of what was done before: a repeat is to be told as that.
    for reply in (*changes.replies, *([] if changes.reply is None else [changes.reply])):
        write_reply(connection, reply, now)
    if changes.loser is not None:  # first: a label has one session at a time
        write_state(connection, Changes(session=changes.loser.session, events=changes.loser.events))
    write_state(connection, changes)
    _write_layers(connection, changes)
    if changes.symbols is not None:
        kept = {"id": session.id, "count": changes.symbols.count, "first": _encode(changes.symbols.first)}
        connection.execute(_SQL["change_symbols"], kept)
    if changes.execution is not None:
        write_execution(connection, changes, changes.execution, now)
    if changes.approval is not None:
        write_approval(connection, changes.approval)


def commit(connection: sqlite3.Connection) -> None:
    """COMMIT. Raises ConstraintViolated; Unavailable(OUTCOME_UNKNOWN) where the disk failed in the middle of it."""
    try:
        connection.execute("COMMIT")
    except sqlite3.IntegrityError as error:
        raise ConstraintViolated(_broken_constraint(connection)) from error
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in _LOST:
            raise
        raise Unavailable(
            Reason.OUTCOME_UNKNOWN,
            "the disk failed while the change was committed; send the same request again to learn what became of it",
            retry_after=1.0,
        ) from error


def write_state(connection: sqlite3.Connection, changes: Changes) -> None:
    """The session's row, its labels, and the events that led there. Raises Conflict where it has moved."""
    session = changes.session
    before = session.version - len(changes.events)
    _write_session(connection, changes, before)
    if changes.relabelled:
        _write_labels(connection, session, created=changes.created)
    rows = [(session.id, before + at, log.encode(event)) for at, event in enumerate(changes.events, start=1)]
    connection.executemany(_SQL["add_event"], rows)


def _write_session(connection: sqlite3.Connection, changes: Changes, before: int) -> None:
    session = changes.session
    row = {
        "id": session.id,
        "created_at": session.created_at,
        "state": session.state,
        "lifecycle": session.lifecycle,
        "version": session.version,
        "role": session.role,
        "task_id": session.task_id,
        "parent_id": session.parent_id,
        "active_at": changes.active_at,
        "lease": session.lease,
        "ended_at": session.ended_at,
        "client_name": session.client.name,
        "client_target": session.client.target,
        "owner": session.owner,
        "body": _encode(session),
        "before": before,
        "seen_active_at": changes.seen_active_at,
    }
    for query in ("add_session",) if changes.created else ("continue_session", "change_session"):
        if connection.execute(_SQL[query], row).rowcount == 1:
            return
    raise conflict(f'session "{session.id}" was changed by another command; read it again')


def _write_labels(connection: sqlite3.Connection, session: Session, *, created: bool) -> None:
    had = set() if created else {label for (label,) in connection.execute(_SQL["labels"], {"session_id": session.id})}
    for label in had - set(session.labels):
        connection.execute(_SQL["drop_label"], {"label": label, "session_id": session.id})
    for label in session.labels:
        if label in had:
            continue
        row = {"label": label, "session_id": session.id, "owner": session.owner}
        done = connection.execute(_SQL["add_label" if created else "move_label"], row)
        if done.rowcount != 1:
            raise AlreadyExists(
                Reason.LABEL_TAKEN,
                f'another session has the label "{label}"; choose another label',
                metadata={"label": label},
                resource=("label", label),
            )


def _write_layers(connection: sqlite3.Connection, changes: Changes) -> None:
    if changes.scope is not None:
        scope = msgspec.structs.asdict(changes.scope)
        connection.execute(_SQL["add_scope"], scope | {"keys": _encode(changes.scope.keys)})
    if changes.sheet is not None:
        connection.execute(_SQL["add_sheet"], msgspec.structs.asdict(changes.sheet))
    if changes.unparsed:
        for query in ("drop_analysis", "drop_diagnostics", "drop_references"):
            connection.execute(_SQL[query], {"sheet_id": changes.unparsed})
    if changes.analysis is not None:
        _write_analysis(connection, changes)
    if changes.resolved:
        assert changes.session.sheet is not None
        _resolve(connection, changes.session.sheet.id, changes.resolved.items())


def _write_analysis(connection: sqlite3.Connection, changes: Changes) -> None:
    assert changes.analysis is not None
    sheet_id = changes.analysis.sheet_id
    connection.execute(_SQL["set_analysis"], {"sheet_id": sheet_id, "body": _encode(changes.analysis)})
    connection.execute(_SQL["drop_diagnostics"], {"sheet_id": sheet_id})
    connection.execute(_SQL["drop_references"], {"sheet_id": sheet_id})
    for first, items in _arrays(changes.diagnostics or ()):
        connection.execute(_SQL["add_diagnostics"], {"sheet_id": sheet_id, "first": first, "items": items})
    references = changes.references or ()
    for first, items in _arrays(references):
        connection.execute(_SQL["add_references"], {"sheet_id": sheet_id, "first": first, "items": items})
    # SQLite reads a text out of JSON up to its first NUL only.
    odd = [(row.reference.ref_id, key) for row in references if "\0" in str(key := row.reference.entity_id)]
    _resolve(connection, sheet_id, odd)


def _resolve(connection: sqlite3.Connection, sheet_id: str, keys: Iterable[tuple[str, Key | None]]) -> None:
    connection.executemany(_SQL["resolve_reference"], [(key, sheet_id, ref_id) for ref_id, key in keys])


def write_queue(connection: sqlite3.Connection, change: QueueChange, now: int) -> None:
    """How the queue stands from now on, and the answer to who asked for it."""
    connection.execute(_SQL["change_queue"], msgspec.structs.asdict(change.queue))
    if change.reply is not None:
        write_reply(connection, change.reply, now)


def write_reply(connection: sqlite3.Connection, reply: StoredReply, now: int) -> None:
    """The answer to a request id. Raises Conflict where it has one that has not expired."""
    key = reply.key
    kept = reply.session_id, reply.execution_id, reply.expires_at, reply.fingerprint, reply.reply
    row = key.caller, key.method, key.target, key.request_id, *kept, now
    if connection.execute(_SQL["add_reply"], row).rowcount != 1:
        raise conflict(f'request id "{key.request_id}" was used meanwhile; send the request again')


def _arrays(records: Sequence[msgspec.Struct]) -> Iterator[tuple[int, str]]:
    for first in range(0, len(records), _ITEMS):
        yield first, _encode(records[first : first + _ITEMS]).decode()


def _broken_constraint(connection: sqlite3.Connection) -> str:
    """The table and columns of the foreign key that kept COMMIT from its work; SQLite itself does not tell."""
    connection.set_progress_handler(lambda: 1, _STEPS)
    try:
        broken = connection.execute(_SQL["broken_foreign_key"]).fetchone()
        if broken is None:
            return "a deferred foreign key"
        table, parent, number = broken
        columns = connection.execute(_SQL["foreign_key_columns"], {"table": table, "id": number}).fetchall()
        return f"foreign key {table}({', '.join(column for (column,) in columns)}) to {parent}"
    except sqlite3.OperationalError:  # interrupted by the handler: a large database
        return "a deferred foreign key"
    finally:
        connection.set_progress_handler(None, 0)

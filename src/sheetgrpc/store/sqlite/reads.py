"""Reads our own tables: functions of a connection that answer records. Nothing here writes or knows of threads."""

import re
import sqlite3
from collections.abc import Mapping, Sequence

import msgspec

from sheetgrpc.catalog.database import Table
from sheetgrpc.dsl.diagnostics import Diagnostic
from sheetgrpc.errors import InvalidRequest, NotFound, Reason
from sheetgrpc.planning.model import Key
from sheetgrpc.session import events as log
from sheetgrpc.session.model import Session
from sheetgrpc.store.batches import Detail
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.queue import list_of_executions
from sheetgrpc.store.records import (
    AnalysisRow,
    EventRow,
    ExecutionFilter,
    ExecutionRow,
    Opened,
    ReferenceRow,
    RequestKey,
    ResultRow,
    ScopeRow,
    SessionFilter,
    SessionRow,
    SheetRow,
    StoredReply,
    SymbolRow,
)
from sheetgrpc.store.sqlite.queue import execution_row

_SQL = load_queries("sqlite")
_ID_PREFIX = re.compile(r"[0-9A-HJKMNP-TV-Z]{6,26}", re.IGNORECASE | re.ASCII)
_ID_LENGTH = 26
_BEYOND_IDS = "~"  # sorts after every character of an id
_CANDIDATES = 10
_SHOWN = 80  # characters of a caller's text in a message
_END_OF_TIME = (2**63 - 1, "")
_BEGINNING_OF_TIME = -(2**63)
# A list is read from the index of the first of these that is asked for: the one that leaves the fewest, as a rule.
_NARROWED = {
    "label": "sessions_by_label",
    "parent_id": "sessions_by_parent",
    "task_id": "sessions_by_task",
    "client_target": "sessions_by_client_target",
    "client_name": "sessions_by_client_name",
    "role": "sessions_by_role",
    "owner": "sessions_by_owner",
}

_session = msgspec.json.Decoder(Session)
_symbols = msgspec.json.Decoder(tuple[SymbolRow, ...])
_keys = msgspec.json.Decoder(list[Key])
_analysis = msgspec.json.Decoder(AnalysisRow)
_diagnostic = msgspec.json.Decoder(Diagnostic)
_reference = msgspec.json.Decoder(ReferenceRow)
_detail = msgspec.json.Decoder(Detail)
_chosen = msgspec.json.Decoder(list[tuple[str, str, Key]])


def read_opened(
    connection: sqlite3.Connection, session_id: str | None, key: RequestKey | None, now: int, label: str
) -> Opened:
    """What a transaction sees when it begins."""
    row = find_session(connection, session_id) if session_id is not None else None
    return Opened(
        row=row,
        reply=read_reply(connection, key, now) if key is not None else None,
        holder=find_labelled(connection, label, row.session.owner) if label and row is not None else None,
    )


def read_reply(connection: sqlite3.Connection, key: RequestKey, now: int) -> StoredReply | None:
    """The reply of a request id, unless it has expired by `now`."""
    row = connection.execute(_SQL["reply"], {**msgspec.structs.asdict(key), "now": now}).fetchone()
    if row is None:
        return None
    fingerprint, reply, session_id, expires_at, execution_id = row
    return StoredReply(
        key=key,
        fingerprint=fingerprint,
        reply=reply,
        session_id=session_id,
        expires_at=expires_at,
        execution_id=execution_id,
    )


def find_session(connection: sqlite3.Connection, session_id: str, owner: str | None = None) -> SessionRow | None:
    """By its id as it is; None where it is not this owner's."""
    row = connection.execute(_SQL["session"], {"id": session_id, "owner": owner}).fetchone()
    return _session_row(row) if row is not None else None


def find_labelled(connection: sqlite3.Connection, label: str, owner: str | None) -> SessionRow | None:
    """The session that a label means to its owner."""
    row = connection.execute(_SQL["labelled_session"], {"label": label, "owner": owner}).fetchone()
    return _session_row(row) if row is not None else None


def read_meta(connection: sqlite3.Connection, name: str) -> str | None:
    """A fact about the database."""
    row = connection.execute(_SQL["meta"], {"name": name}).fetchone()
    return None if row is None else str(row[0])


def read_session(connection: sqlite3.Connection, ref: str, owner: str | None = None) -> SessionRow:
    """By id, prefix or label (`Store.session`)."""
    found = _session_by_prefix(connection, ref.upper(), owner) if _ID_PREFIX.fullmatch(ref) else None
    if found is None:
        found = find_labelled(connection, ref, owner)
    if found is None:
        raise _missing(Reason.SESSION_NOT_FOUND, "session", ref)
    return found


def read_sessions(
    connection: sqlite3.Connection, wanted: SessionFilter, limit: int, before: tuple[int, str] | None
) -> list[SessionRow]:
    """A page of sessions, without their symbols."""
    created_at, session_id = before or _END_OF_TIME
    if wanted.created_before is not None and wanted.created_before <= created_at:
        created_at, session_id = wanted.created_before, ""  # no id sorts before it: only what is older is left
    name = next((query for field, query in _NARROWED.items() if getattr(wanted, field)), "sessions")
    parameters = {
        "created_after": _BEGINNING_OF_TIME if wanted.created_after is None else wanted.created_after,
        "created_at": created_at,
        "id": session_id,
        "states": _json(wanted.states),
        "lifecycles": _json(wanted.lifecycles),
        "label": wanted.label,
        "role": wanted.role,
        "task_id": wanted.task_id,
        "parent_id": wanted.parent_id,
        "client_name": wanted.client_name,
        "client_target": wanted.client_target,
        "owner": wanted.owner,
        "limit": limit,
    }
    return [_session_row(row) for row in connection.execute(_SQL[name], parameters).fetchall()]


def read_events(
    connection: sqlite3.Connection, session_id: str, after: int, limit: int, types: Sequence[str]
) -> list[EventRow]:
    """A stretch of a session's log."""
    parameters = {"session_id": session_id, "after": after, "limit": limit}
    if types:
        rows = connection.execute(_SQL["events_of_types"], {**parameters, "types": _json(types)}).fetchall()
    else:
        rows = connection.execute(_SQL["events"], parameters).fetchall()
    return [EventRow(sequence, log.decode(body)) for sequence, body in rows]


def read_base(connection: sqlite3.Connection, session_id: str) -> Session | None:
    """What a trimmed log begins with; None for a whole one."""
    row = connection.execute(_SQL["base"], {"id": session_id}).fetchone()
    return _session.decode(row[0]) if row is not None else None


def read_scope(connection: sqlite3.Connection, scope_id: str) -> ScopeRow:
    """A scope snapshot; LookupError: only our own rows name scopes, so a missing one is a bug."""
    row = connection.execute(_SQL["scope"], {"id": scope_id}).fetchone()
    if row is None:
        raise LookupError(f'there is no scope "{scope_id}"')
    scope, session_id, entity_type, source, keys = row
    return ScopeRow(scope, session_id, entity_type, source, _keys.decode(keys))


def find_sheet(
    connection: sqlite3.Connection, sheet_id: str, owner: str | None, longest: int | None = None
) -> SheetRow | None:
    """A sheet whose source has no more bytes than `longest`."""
    asked = {"id": sheet_id.upper(), "owner": owner, "longest": longest}
    row = connection.execute(_SQL["sheet"], asked).fetchone()
    return SheetRow(*row) if row is not None else None


def read_sheet(connection: sqlite3.Connection, sheet_id: str, owner: str | None = None) -> SheetRow:
    """A sheet with its source."""
    sheet = find_sheet(connection, sheet_id, owner)
    if sheet is None:
        raise _missing(Reason.SHEET_NOT_FOUND, "sheet", sheet_id)
    return sheet


def read_analysis(connection: sqlite3.Connection, sheet_id: str) -> AnalysisRow | None:
    """The counts of the last parse."""
    row = connection.execute(_SQL["analysis"], {"sheet_id": sheet_id}).fetchone()
    return _analysis.decode(row[0]) if row is not None else None


def read_diagnostics(connection: sqlite3.Connection, sheet_id: str, first: int, limit: int) -> list[Diagnostic]:
    """A stretch of a sheet's findings."""
    rows = connection.execute(_SQL["diagnostics"], {"sheet_id": sheet_id, "first": first, "limit": limit}).fetchall()
    return [_diagnostic.decode(body) for (body,) in rows]


def read_references(
    connection: sqlite3.Connection, sheet_id: str, after: int, limit: int, *, unresolved_only: bool
) -> list[tuple[int, ReferenceRow]]:
    """A stretch of a sheet's references."""
    query = _SQL["open_references" if unresolved_only else "references"]
    rows = connection.execute(query, {"sheet_id": sheet_id, "after": after, "limit": limit}).fetchall()
    return [_reference_row(*row) for row in rows]


def read_reference(connection: sqlite3.Connection, sheet_id: str, ref_id: str) -> ReferenceRow | None:
    """One reference."""
    row = connection.execute(_SQL["reference"], {"sheet_id": sheet_id, "ref_id": ref_id}).fetchone()
    return _reference_row(*row)[1] if row is not None else None


def read_resolutions(connection: sqlite3.Connection, sheet_id: str) -> dict[str, tuple[str, Key]]:
    """The entity types and chosen keys by ref_id."""
    (chosen,) = connection.execute(_SQL["resolutions"], {"sheet_id": sheet_id}).fetchone()
    return {ref_id: (entity_type, key) for ref_id, entity_type, key in _chosen.decode(chosen)}


def read_symbols(
    connection: sqlite3.Connection, executions: Sequence[str], names: Sequence[str] | None, after: str, limit: int
) -> list[SymbolRow]:
    """A page of committed symbols; each execution gives at most a page, so the first page of all is among them."""
    query = _SQL["symbols" if names is None else "symbols_named"]
    asked = {"after": after, "limit": limit} | ({} if names is None else {"names": _json(names)})
    found: dict[str, SymbolRow] = {}
    for execution_id in executions:
        row = connection.execute(_SQL["execution"], {"id": execution_id, "owner": None}).fetchone()
        if row is None:
            continue
        for name, entity_type, key in connection.execute(query, asked | {"execution": row[0]}).fetchall():
            found[name] = SymbolRow(name, entity_type, key, execution_id)
    return [found[name] for name in sorted(found)[:limit]]


def read_execution(connection: sqlite3.Connection, execution_id: str, owner: str | None = None) -> ExecutionRow:
    """One execution."""
    row = connection.execute(_SQL["execution"], {"id": execution_id.upper(), "owner": owner}).fetchone()
    if row is None:
        raise _missing(Reason.EXECUTION_NOT_FOUND, "execution", execution_id)
    return execution_row(*row)


def read_executions(
    connection: sqlite3.Connection, wanted: ExecutionFilter, limit: int, before: tuple[int, str] | None
) -> list[ExecutionRow]:
    """A page of executions, newest submitted first."""
    submitted_at, execution_id = before or _END_OF_TIME
    if wanted.submitted_before is not None and wanted.submitted_before <= submitted_at:
        submitted_at, execution_id = wanted.submitted_before, ""  # no id sorts before it: only what is older is left
    parameters = {
        "submitted_at": submitted_at,
        "id": execution_id,
        "submitted_after": _BEGINNING_OF_TIME if wanted.submitted_after is None else wanted.submitted_after,
        "states": _json(wanted.states),
        "session_id": wanted.session_id,
        "owner": wanted.owner,
        "replay_of": wanted.replay_of,
        "limit": limit,
    }
    rows = connection.execute(_SQL[list_of_executions(wanted)], parameters).fetchall()
    return [execution_row(*row) for row in rows]


def is_as_read(connection: sqlite3.Connection, execution: ExecutionRow) -> bool:
    """True if the stored execution still has this state and epoch."""
    guard = {"id": execution.id, "state": execution.state, "epoch": execution.epoch}
    return connection.execute(_SQL["claim"], guard).fetchone() is not None


def read_results(
    connection: sqlite3.Connection, execution: ExecutionRow, after: int, limit: int, statuses: Sequence[int]
) -> list[ResultRow]:
    """A stretch of an execution's results."""
    parameters = {"execution": execution.number, "after": after, "limit": limit, "statuses": _json(list(statuses))}
    return [_result_row(row) for row in connection.execute(_SQL["results"], parameters).fetchall()]


def describe_tables(connection: sqlite3.Connection, tables: Sequence[str]) -> Mapping[str, Table]:
    """The live shape of these tables, by the names asked for."""
    return {name: table for name in tables if (table := _describe(connection, name)) is not None}


def _session_row(row: tuple[bytes, int, bytes | None, int, int]) -> SessionRow:
    body, count, symbols, active_at, oldest = row
    first = _symbols.decode(symbols) if symbols is not None else ()
    return SessionRow(_session.decode(body), count, first, active_at, oldest)


def _session_by_prefix(connection: sqlite3.Connection, prefix: str, owner: str | None) -> SessionRow | None:
    if len(prefix) == _ID_LENGTH:
        return find_session(connection, prefix, owner)
    bounds = {"prefix": prefix, "beyond": prefix + _BEYOND_IDS, "owner": owner}
    ids = [session_id for (session_id,) in connection.execute(_SQL["session_ids"], bounds)]
    if len(ids) > 1:
        listed = ", ".join(ids[:_CANDIDATES])
        more = ", ..." if len(ids) > _CANDIDATES else ""
        raise InvalidRequest(
            Reason.SESSION_AMBIGUOUS,
            f'"{prefix}" begins the ids of several sessions: {listed}{more}; give more of the id',
            metadata={"session": prefix, "candidates": ",".join(ids[:_CANDIDATES])},
        )
    return find_session(connection, ids[0]) if ids else None


def _reference_row(position: int, entity_id: Key | None, body: str) -> tuple[int, ReferenceRow]:
    row = _reference.decode(body)
    if row.reference.entity_id != entity_id:
        row = msgspec.structs.replace(row, reference=msgspec.structs.replace(row.reference, entity_id=entity_id))
    return position, row


def _result_row(row: tuple[int, int, int, int, Key | None, int, bytes | None]) -> ResultRow:
    index, depth, status, effect, key, micros, detail = row
    more = _detail.decode(detail) if detail is not None else Detail()
    return ResultRow(index, depth, status, effect, key, micros, more.error, more.rows)


def _describe(connection: sqlite3.Connection, name: str) -> Table | None:
    columns = connection.execute(_SQL["table_columns"], {"table": name}).fetchall()
    if not columns:
        return None
    indexes: dict[str, set[str | None]] = {}
    for index, column in connection.execute(_SQL["unique_columns"], {"table": name}):
        indexes.setdefault(index, set()).add(column)
    unique = {frozenset(named) for index in indexes.values() if None not in index for named in [_named(index)]}
    primary = frozenset(column for column, _, place in columns if place)
    return Table(
        name=name,
        columns={column: declared for column, declared, _ in columns},
        unique=frozenset(unique | {primary} if primary else unique),
    )


def _named(columns: set[str | None]) -> set[str]:
    return {column for column in columns if column is not None}


def _missing(reason: Reason, kind: str, ref: str) -> NotFound:
    shown = ref if len(ref) <= _SHOWN else ref[:_SHOWN] + "..."
    return NotFound(reason, f'there is no {kind} "{shown}"', resource=(kind, shown))


def _json(values: Sequence[str] | Sequence[int]) -> str:
    return msgspec.json.encode(values).decode()

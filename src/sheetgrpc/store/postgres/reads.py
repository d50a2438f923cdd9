"""Reads our own tables: functions of a connection that answer records. Nothing here writes or knows of transactions."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from sheetgrpc.dsl.diagnostics import Diagnostic
from sheetgrpc.errors import InvalidRequest, NotFound, Reason
from sheetgrpc.planning.model import Key
from sheetgrpc.session import events as log
from sheetgrpc.session.model import Session
from sheetgrpc.store.batches import Detail
from sheetgrpc.store.postgres.queue import execution_row
from sheetgrpc.store.postgres.texts import read_key, storable
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.queue import list_of_executions
from sheetgrpc.store.records import (
    AnalysisRow,
    EventRow,
    ExecutionFilter,
    ExecutionRow,
    Held,
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

if TYPE_CHECKING:
    import asyncpg

    from sheetgrpc.store.postgres.connection import Connection

_SQL = load_queries("postgres")
_ID_PREFIX = re.compile(r"[0-9A-HJKMNP-TV-Z]{6,26}", re.IGNORECASE | re.ASCII)
_ID_LENGTH = 26
_BEYOND_IDS = "~"  # sorts after every character of an id
_CANDIDATES = 10
_SHOWN = 80  # characters of a caller's text in a message
_END_OF_TIME = (2**63 - 1, "")
_BEGINNING_OF_TIME = -(2**63)
# A list is read by the query of the first of these that is asked for: the one that leaves the fewest, as a rule.
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
_scope = msgspec.json.Decoder(ScopeRow)
_analysis = msgspec.json.Decoder(AnalysisRow)
_diagnostic = msgspec.json.Decoder(Diagnostic)
_reference = msgspec.json.Decoder(ReferenceRow)
_detail = msgspec.json.Decoder(Detail)


async def read_reply(connection: "Connection", key: RequestKey, now: int) -> StoredReply | None:
    """The reply of a request id, unless it has expired by `now`."""
    row = await connection.fetchrow(_SQL["reply"], *map(storable, msgspec.structs.astuple(key)), now)
    return StoredReply(key, *row) if row is not None else None


async def read_session(connection: "Connection", ref: str, owner: str | None = None) -> SessionRow:
    """By id, prefix or label (`Store.session`)."""
    found = await _session_by_prefix(connection, ref.upper(), owner) if _ID_PREFIX.fullmatch(ref) else None
    if found is None:
        row = await connection.fetchrow(_SQL["labelled_session"], storable(ref), owner)
        found = session_row(*row) if row is not None else None
    if found is None:
        raise _missing(Reason.SESSION_NOT_FOUND, "session", ref)
    return found


async def read_sessions(
    connection: "Connection", wanted: SessionFilter, limit: int, before: tuple[int, str] | None
) -> list[SessionRow]:
    """A page of sessions, without their symbols."""
    created_at, session_id = before or _END_OF_TIME
    if wanted.created_before is not None and wanted.created_before <= created_at:
        created_at, session_id = wanted.created_before, ""  # no id sorts before it: only what is older is left
    name = next((query for field, query in _NARROWED.items() if getattr(wanted, field)), "sessions")
    rows = await connection.fetch(
        _SQL[name],
        created_at,
        session_id,
        wanted.states,
        wanted.lifecycles,
        storable(wanted.role),
        storable(wanted.task_id),
        storable(wanted.parent_id),
        storable(wanted.label),
        limit,
        _BEGINNING_OF_TIME if wanted.created_after is None else wanted.created_after,
        storable(wanted.client_name),
        storable(wanted.client_target),
        wanted.owner,
    )
    return [session_row(*row) for row in rows]


async def read_events(
    connection: "Connection", session_id: str, after: int, limit: int, types: Sequence[str]
) -> list[EventRow]:
    """A stretch of a session's log."""
    rows = await connection.fetch(_SQL["events"], session_id, after, limit, types)
    return [EventRow(sequence, log.decode(body)) for sequence, body in rows]


async def read_base(connection: "Connection", session_id: str) -> Session | None:
    """What a trimmed log begins with; None for a whole one."""
    body = await connection.fetchval(_SQL["base"], session_id)
    return _session.decode(body) if body is not None else None


async def read_scope(connection: "Connection", scope_id: str) -> ScopeRow:
    """A scope snapshot; LookupError: only our own rows name scopes, so a missing one is a bug."""
    body = await connection.fetchval(_SQL["scope"], scope_id)
    if body is None:
        raise LookupError(f'there is no scope "{scope_id}"')
    return _scope.decode(body)


async def read_sheet(connection: "Connection", sheet_id: str, owner: str | None = None) -> SheetRow:
    """A sheet with its source."""
    row = await connection.fetchrow(_SQL["sheet"], storable(sheet_id.upper()), owner)
    if row is None:
        raise _missing(Reason.SHEET_NOT_FOUND, "sheet", sheet_id)
    return SheetRow(*row)


async def read_analysis(connection: "Connection", sheet_id: str) -> AnalysisRow | None:
    """The counts of the last parse."""
    body = await connection.fetchval(_SQL["analysis"], sheet_id)
    return _analysis.decode(body) if body is not None else None


async def read_diagnostics(connection: "Connection", sheet_id: str, first: int, limit: int) -> list[Diagnostic]:
    """A stretch of a sheet's findings."""
    return [_diagnostic.decode(body) for (body,) in await connection.fetch(_SQL["diagnostics"], sheet_id, first, limit)]


async def read_references(
    connection: "Connection", sheet_id: str, after: int, limit: int, *, unresolved_only: bool
) -> list[tuple[int, ReferenceRow]]:
    """A stretch of a sheet's references."""
    query = _SQL["open_references" if unresolved_only else "references"]
    return [_reference_row(*row) for row in await connection.fetch(query, sheet_id, after, limit)]


async def read_reference(connection: "Connection", sheet_id: str, ref_id: str) -> ReferenceRow | None:
    """One reference."""
    row = await connection.fetchrow(_SQL["reference"], sheet_id, storable(ref_id))
    return _reference_row(*row)[1] if row is not None else None


async def read_resolutions(connection: "Connection", sheet_id: str) -> dict[str, tuple[str, Key]]:
    """The entity types and chosen keys by ref_id."""
    rows = await connection.fetch(_SQL["resolutions"], sheet_id)
    return {ref_id: (entity_type, read_key(key)) for ref_id, entity_type, key in rows}


async def read_symbols(
    connection: "Connection", executions: Sequence[str], names: Sequence[str] | None, after: str, limit: int
) -> list[SymbolRow]:
    """A page of committed symbols; each execution gives at most a page, so the first page of all is among them."""
    query = _SQL["symbols" if names is None else "symbols_named"]
    more = () if names is None else (list(map(storable, names)),)
    found: dict[str, SymbolRow] = {}
    for execution_id in executions:
        rows = await connection.fetch(query, execution_id, storable(after), limit, *more)
        found.update((name, SymbolRow(name, kind, read_key(key), execution_id)) for name, kind, key in rows)
    return [found[name] for name in sorted(found)[:limit]]


async def read_execution(connection: "Connection", execution_id: str, owner: str | None = None) -> ExecutionRow:
    """One execution."""
    row = await connection.fetchrow(_SQL["execution"], storable(execution_id.upper()), owner)
    if row is None:
        raise _missing(Reason.EXECUTION_NOT_FOUND, "execution", execution_id)
    return execution_row(*row)


async def read_executions(
    connection: "Connection", wanted: ExecutionFilter, limit: int, before: tuple[int, str] | None
) -> list[ExecutionRow]:
    """A page of executions, newest submitted first."""
    submitted_at, execution_id = before or _END_OF_TIME
    if wanted.submitted_before is not None and wanted.submitted_before <= submitted_at:
        submitted_at, execution_id = wanted.submitted_before, ""  # no id sorts before it: only what is older is left
    since = _BEGINNING_OF_TIME if wanted.submitted_after is None else wanted.submitted_after
    asked = [submitted_at, execution_id, wanted.states, limit, since, storable(wanted.replay_of)]
    name = list_of_executions(wanted)
    more: dict[str, list[str | None]] = {
        "executions": [],
        "executions_of_session": [wanted.session_id],
        "executions_of_owner": [wanted.owner],
    }
    rows = await connection.fetch(_SQL[name], *asked, *more.get(name, [wanted.session_id, wanted.owner]))
    return [execution_row(*row) for row in rows]


async def is_as_read(connection: "Connection", execution: ExecutionRow) -> bool:
    """True if the stored execution still has this state and epoch."""
    found = await connection.fetchval(_SQL["claim"], execution.id, execution.state, execution.epoch)
    return found is not None


async def hold(connection: "Connection", execution: ExecutionRow, *, lapsed: bool) -> Held | None:
    """`Transaction.hold`."""
    row = await connection.fetchrow(_SQL["hold"], execution.id, execution.state, execution.epoch, lapsed)
    return Held(*row) if row is not None else None


async def read_results(
    connection: "Connection", execution: ExecutionRow, after: int, limit: int, statuses: Sequence[int]
) -> list[ResultRow]:
    """A stretch of an execution's results."""
    rows = await connection.fetch(_SQL["results"], execution.id, after, limit, statuses)
    return [_result_row(row) for row in rows]


async def read_incarnation(connection: "Connection") -> str | None:
    """The database's name; None where it is not there, or takes no writes."""
    found = await connection.fetchval(_SQL["health"])
    return str(found) if found is not None else None


async def read_ids(connection: "Connection", query: str, *values: object) -> list[str]:
    """The first column of a query."""
    return [str(row[0]) for row in await connection.fetch(_SQL[query], *values)]


def session_row(body: bytes, count: int, symbols: bytes | None, active_at: int, oldest: int) -> SessionRow:
    """A session as its columns have it."""
    first = _symbols.decode(symbols) if symbols is not None else ()
    return SessionRow(_session.decode(body), count, first, active_at, oldest)


async def lock_sessions(
    connection: "Connection", ids: Sequence[str], key: RequestKey | None, now: int
) -> tuple[Mapping[str, SessionRow], StoredReply | None]:
    """These sessions by id, held until the transaction ends; and the reply of a request id, if one of them is there."""
    request = map(storable, msgspec.structs.astuple(key)) if key is not None else [None] * 4
    rows = await connection.fetch(_SQL["lock_sessions"], ids, *request, now)
    reply = None
    if key is not None and rows and rows[0]["fingerprint"] is not None:
        reply = StoredReply(key, *rows[0][6:])
    return {row[0]: session_row(*row[1:6]) for row in rows}, reply


async def hold_label(connection: "Connection", label: str, session_id: str) -> str | None:
    """Who has the label, which is held until the transaction ends; the session itself if nobody had it."""
    found = await connection.fetchval(_SQL["hold_label"], storable(label), session_id)
    return str(found) if found is not None else None


async def _session_by_prefix(connection: "Connection", prefix: str, owner: str | None) -> SessionRow | None:
    ids = [prefix]
    if len(prefix) < _ID_LENGTH:
        rows = await connection.fetch(_SQL["session_ids"], prefix, prefix + _BEYOND_IDS, owner)
        ids = [found for (found,) in rows]
    if len(ids) > 1:
        listed = ", ".join(ids[:_CANDIDATES])
        more = ", ..." if len(ids) > _CANDIDATES else ""
        raise InvalidRequest(
            Reason.SESSION_AMBIGUOUS,
            f'"{prefix}" begins the ids of several sessions: {listed}{more}; give more of the id',
            metadata={"session": prefix, "candidates": ",".join(ids[:_CANDIDATES])},
        )
    row = await connection.fetchrow(_SQL["session"], ids[0], owner) if ids else None
    return session_row(*row) if row is not None else None


def _reference_row(position: int, entity_id: str | None, body: bytes) -> tuple[int, ReferenceRow]:
    row = _reference.decode(body)
    key = read_key(entity_id) if entity_id is not None else None
    if row.reference.entity_id != key or type(row.reference.entity_id) is not type(key):
        row = msgspec.structs.replace(row, reference=msgspec.structs.replace(row.reference, entity_id=key))
    return position, row


def _result_row(row: "asyncpg.Record") -> ResultRow:
    index, depth, status, effect, key, micros, detail = row
    more = _detail.decode(detail) if detail is not None else Detail()
    known = read_key(key) if key is not None else None
    return ResultRow(index, depth, status, effect, known, micros, more.error, more.rows)


def _missing(reason: Reason, kind: str, ref: str) -> NotFound:
    shown = ref if len(ref) <= _SHOWN else ref[:_SHOWN] + "..."
    return NotFound(reason, f'there is no {kind} "{shown}"', resource=(kind, shown))

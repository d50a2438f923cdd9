"""Writes sessions as messages."""

from sheetgrpc.engine.views import SessionView
from sheetgrpc.server.convert.enums import LIFECYCLES, STATES
from sheetgrpc.server.convert.values import write_duration, write_key, write_struct, write_time
from sheetgrpc.session.model import Session
from sheetgrpc.store.records import SymbolRow
from sheetgrpc.v1 import progress_pb2, session_pb2, sheet_pb2

_SYMBOL_BYTES = 512 * 1024  # symbols have no longest name; ListSymbols pages what is left out


def write_session(view: SessionView, *, listed: bool = False) -> session_pb2.Session:
    """A session; without template and symbols where it is one of a list."""
    session = view.row.session
    sheet, template = session.sheet, session.template
    message = session_pb2.Session(
        id=session.id,
        name=session.name,
        state=STATES.write(session.state),
        lifecycle=LIFECYCLES.write(session.lifecycle),
        version=session.version,
        intent_confirmed=template is not None and template.confirmed,
        unresolved_count=sheet.unresolved_count if sheet is not None else 0,
        progress=progress_pb2.Progress(completed=view.progress_completed, total=view.progress_total),
        scope=_write_scope(session),
        target_entity_type=template.target_entity_type if template is not None else "",
        sheet_id=sheet.id if sheet is not None else "",
        sheet_digest=sheet.digest if sheet is not None else "",
        last_execution_id=session.execution_id or session.last_execution_id,
        last_execution_succeeded=session.last_execution_succeeded,
        symbol_count=view.row.symbol_count,
        labels=sorted(session.labels),
        parent_id=session.parent_id,
        allowed_actions=view.allowed_actions,
        client=_write_client(session),
        role=session.role,
        task_id=session.task_id,
        metadata=write_struct(session.metadata) if session.metadata else None,
        event_count=session.version - view.row.oldest_sequence + 1,  # sequences have no gaps
        create_time=write_time(session.created_at),
        update_time=write_time(session.updated_at),
        expire_time=write_time(view.expires_at),
        end_time=write_time(session.ended_at),
        oldest_sequence=view.row.oldest_sequence,
        lease=None if session.lease is None else write_duration(session.lease),
        owner=session.owner,
    )
    if not listed:
        message.template = template.source if template is not None else ""
        _add_symbols(message, view.row.symbols)
    return message


def write_symbol(row: SymbolRow) -> sheet_pb2.Symbol:
    """A symbol that a committed execution bound."""
    return sheet_pb2.Symbol(
        name=row.name, entity_type=row.entity_type, entity_id=write_key(row.entity_id), execution_id=row.execution_id
    )


def _write_scope(session: Session) -> session_pb2.Scope | None:
    scope = session.scope
    if scope is None:
        return None
    return session_pb2.Scope(entity_type=scope.entity_type, entity_count=scope.entity_count, source=scope.source)


def _write_client(session: Session) -> session_pb2.Client:
    client = session.client
    return session_pb2.Client(name=client.name, version=client.version, target=client.target)


def _add_symbols(message: session_pb2.Session, symbols: tuple[SymbolRow, ...]) -> None:
    left = _SYMBOL_BYTES
    for row in symbols:
        left -= 4 * len(row.name) + 64
        if left < 0:
            return
        message.symbols[row.name] = write_key(row.entity_id)

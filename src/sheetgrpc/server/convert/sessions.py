"""Writes sessions as messages."""

from typing import Protocol, TypeVar

from sheetgrpc.engine.views import SessionView
from sheetgrpc.server.convert.enums import LIFECYCLES, STATES
from sheetgrpc.server.convert.values import fill_time, write_duration, write_key, write_struct
from sheetgrpc.session.model import Session
from sheetgrpc.store.records import SymbolRow
from sheetgrpc.v1 import session_pb2, sheet_pb2


class HasSession(Protocol):
    """A message with a session in it."""

    @property
    def session(self) -> session_pb2.Session:
        """The session."""


M = TypeVar("M", bound=HasSession)

_SYMBOL_BYTES = 512 * 1024  # symbols have no longest name; ListSymbols pages what is left out


def write_session(view: SessionView, *, listed: bool = False) -> session_pb2.Session:
    """A session; without template and symbols where it is one of a list."""
    message = session_pb2.Session()
    fill_session(message, view, listed=listed)
    return message


def with_session(message: M, view: SessionView) -> M:
    """The message with a session in it."""
    fill_session(message.session, view)
    return message


def fill_session(message: session_pb2.Session, view: SessionView, *, listed: bool = False) -> None:
    """Writes a session where its message already is: half the cost of one made apart, with every field named."""
    row, session = view.row, view.row.session
    message.id = session.id
    message.name = session.name
    message.state = STATES.write(session.state)
    message.lifecycle = LIFECYCLES.write(session.lifecycle)
    message.version = session.version
    message.event_count = session.version - row.oldest_sequence + 1  # sequences have no gaps
    message.oldest_sequence = row.oldest_sequence
    message.symbol_count = row.symbol_count
    if session.labels:
        message.labels.extend(sorted(session.labels))
    message.allowed_actions.extend(view.allowed_actions)
    message.progress.completed, message.progress.total = view.progress_completed, view.progress_total
    message.owner = session.owner
    if session.execution_id or session.last_execution_id:
        message.last_execution_id = session.execution_id or session.last_execution_id
        message.last_execution_succeeded = session.last_execution_succeeded
    if session.parent_id:
        message.parent_id = session.parent_id
    _fill_times(message, view)
    _fill_caller(message, session)
    _fill_layers(message, session, listed=listed)
    if not listed:
        _add_symbols(message, row.symbols)


def write_symbol(row: SymbolRow) -> sheet_pb2.Symbol:
    """A symbol that a committed execution bound."""
    return sheet_pb2.Symbol(
        name=row.name, entity_type=row.entity_type, entity_id=write_key(row.entity_id), execution_id=row.execution_id
    )


def _fill_times(message: session_pb2.Session, view: SessionView) -> None:
    session = view.row.session
    fill_time(message.create_time, session.created_at)
    fill_time(message.update_time, session.updated_at)
    if view.expires_at is not None:
        fill_time(message.expire_time, view.expires_at)
    if session.ended_at is not None:
        fill_time(message.end_time, session.ended_at)
    if session.lease is not None:
        message.lease.CopyFrom(write_duration(session.lease))


def _fill_caller(message: session_pb2.Session, session: Session) -> None:
    """What the caller said of itself and of the session."""
    client, told = session.client, message.client
    told.name, told.version, told.target = client.name, client.version, client.target
    message.role = session.role
    message.task_id = session.task_id
    if session.metadata:
        message.metadata.CopyFrom(write_struct(session.metadata))


def _fill_layers(message: session_pb2.Session, session: Session, *, listed: bool) -> None:
    scope, template, sheet = session.scope, session.template, session.sheet
    if scope is not None:
        message.scope.entity_type, message.scope.source = scope.entity_type, scope.source
        message.scope.entity_count = scope.entity_count
    if template is not None:
        message.intent_confirmed = template.confirmed
        message.target_entity_type = template.target_entity_type
        message.template = "" if listed else template.source
    if sheet is not None:
        message.sheet_id, message.sheet_digest = sheet.id, sheet.digest
        message.unresolved_count = sheet.unresolved_count


def _add_symbols(message: session_pb2.Session, symbols: tuple[SymbolRow, ...]) -> None:
    left = _SYMBOL_BYTES
    for row in symbols:
        left -= 4 * len(row.name) + 64
        if left < 0:
            return
        message.symbols[row.name] = write_key(row.entity_id)

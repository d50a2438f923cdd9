"""Writes what one command changes, inside a transaction that is already open, in few statements: each is a trip."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import msgspec

from sheetgrpc.errors import AlreadyExists, Reason
from sheetgrpc.planning.model import Key
from sheetgrpc.session import events as log
from sheetgrpc.session.model import Session
from sheetgrpc.store.postgres.approvals import write_approval
from sheetgrpc.store.postgres.queue import conflict, row_count, write_execution
from sheetgrpc.store.postgres.texts import key_text, storable
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.queue import QueueChange
from sheetgrpc.store.records import Changes, ReferenceRow, StoredReply

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

_SQL = load_queries("postgres")
_ITEMS = 5000  # records a statement: what is encoded in one go

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


async def write_changes(connection: "Connection", changes: Changes, now: int, lease: float) -> None:
    """Everything but the COMMIT; a claim is for `lease` seconds. Raises Conflict, AlreadyExists(LABEL_TAKEN)."""
    session = changes.session
    if changes.loser is not None:  # first: a label has one session at a time
        await write_state(connection, Changes(session=changes.loser.session, events=changes.loser.events))
    await write_state(connection, changes)
    await _write_layers(connection, changes)
    if changes.symbols is not None:
        kept = _encode(changes.symbols.first)
        await connection.execute(_SQL["change_symbols"], session.id, changes.symbols.count, kept)
    if changes.execution is not None:
        await write_execution(connection, changes, changes.execution, now, lease)
    if changes.approval is not None:
        await write_approval(connection, changes.approval)
    for reply in (*changes.replies, *([] if changes.reply is None else [changes.reply])):
        await write_reply(connection, reply, now)


async def write_state(connection: "Connection", changes: Changes) -> None:
    """The session's row, its labels, and the events that led there. Raises Conflict where it has moved."""
    session = changes.session
    bodies = [log.encode(event) for event in changes.events]
    types = [log.event_type(event) for event in changes.events]
    kept = [session.state, session.lifecycle, session.version]
    kept += [storable(session.role), storable(session.task_id)]
    had: set[str] = set()
    if changes.created:
        row = [session.id, session.created_at, *kept, storable(session.parent_id), _encode(session), types, bodies]
        client = storable(session.client.name), storable(session.client.target), storable(session.owner)
        times = changes.active_at, session.lease, session.ended_at
        await connection.execute(_SQL["add_session"], *row, *times, *client)
    else:
        times = changes.active_at, session.ended_at, changes.seen_active_at
        row = [session.id, *kept, _encode(session), types, bodies]
        found = await connection.fetch(_SQL["change_session"], *row, *times)
        labels = {label for (label,) in found}
        if None not in labels:
            raise conflict(f'session "{session.id}" was changed by another command; read it again')
        had = labels - {None}
    await _write_labels(connection, session, had, created=changes.created)


async def _write_labels(connection: "Connection", session: Session, had: set[str], *, created: bool) -> None:
    wanted = {storable(label): label for label in session.labels}
    for label in sorted(had - wanted.keys()):
        await connection.execute(_SQL["drop_label"], label, session.id)
    for kept, label in wanted.items():
        if kept in had:
            continue
        done = await connection.execute(_SQL["add_label" if created else "move_label"], kept, session.id, session.owner)
        if not row_count(done):
            raise AlreadyExists(
                Reason.LABEL_TAKEN,
                f'another session has the label "{label}"; choose another label',
                metadata={"label": label},
                resource=("label", label),
            )


async def _write_layers(connection: "Connection", changes: Changes) -> None:
    scope = changes.scope
    if scope is not None:
        await connection.execute(_SQL["add_scope"], scope.id, scope.session_id, _encode(scope))
    sheet = changes.sheet
    if sheet is not None:
        await connection.execute(_SQL["add_sheet"], *msgspec.structs.astuple(sheet))
    if changes.unparsed:
        await connection.execute(_SQL["drop_analysis"], changes.unparsed)
    if changes.analysis is not None:
        await _write_analysis(connection, changes, changes.analysis.sheet_id)
    if changes.resolved:
        assert changes.session.sheet is not None
        await _resolve(connection, changes.session.sheet.id, changes.resolved)


async def _write_analysis(connection: "Connection", changes: Changes, sheet_id: str) -> None:
    await connection.execute(_SQL["set_analysis"], sheet_id, _encode(changes.analysis))
    for first, found in _parts(changes.diagnostics or ()):
        await connection.execute(_SQL["add_diagnostics"], sheet_id, first, [_encode(item) for item in found])
    for first, wanted in _parts(changes.references or ()):
        await connection.execute(_SQL["add_references"], sheet_id, first, *_columns(wanted))


def _columns(rows: Sequence[ReferenceRow]) -> tuple[list[str], list[str], list[str | None], list[bytes]]:
    references = [row.reference for row in rows]
    return (
        [storable(reference.ref_id) for reference in references],
        [reference.entity_type for reference in references],
        [key_text(reference.entity_id) for reference in references],
        [_encode(row) for row in rows],
    )


async def _resolve(connection: "Connection", sheet_id: str, keys: dict[str, Key]) -> None:
    names = [storable(name) for name in keys]
    await connection.execute(_SQL["resolve_references"], sheet_id, names, [key_text(key) for key in keys.values()])


async def write_reply(connection: "Connection", reply: StoredReply, now: int) -> None:
    """The answer to a request id. Raises Conflict where it has one that has not expired."""
    done = await connection.execute(
        _SQL["add_reply"],
        *map(storable, msgspec.structs.astuple(reply.key)),
        reply.session_id,
        reply.execution_id,
        reply.expires_at,
        reply.fingerprint,
        reply.reply,
        now,
    )
    if not row_count(done):
        raise conflict(f'request id "{reply.key.request_id}" was used meanwhile; send the request again')


def _parts(rows: Sequence[T]) -> Iterable[tuple[int, list[T]]]:
    items = iter(rows)
    first = 0
    while part := list(islice(items, _ITEMS)):
        yield first, part
        first += len(part)


async def write_queue(connection: "Connection", change: QueueChange, now: int) -> None:
    """How the queue stands from now on, and the answer to who asked for it."""
    queue = change.queue
    await connection.execute(_SQL["change_queue"], queue.mode, storable(queue.changed_by), queue.changed_at)
    if change.reply is not None:
        await write_reply(connection, change.reply, now)

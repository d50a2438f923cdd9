"""The queue on SQLite: functions of a connection that read it, and that write executions, receipts and its mode."""

import sqlite3
from collections.abc import Collection

import msgspec

from sheetgrpc.errors import Conflict, Reason
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.queue import QueueCounts, QueueMode, QueueRow, ReceiptRow, check_admission, receipt_of
from sheetgrpc.store.records import Changes, ExecutionRow

_SQL = load_queries("sqlite")

_encode = msgspec.json.Encoder().encode
_execution = msgspec.json.Decoder(ExecutionRow)
_receipt = msgspec.json.Decoder(ReceiptRow)


def execution_row(number: int, body: bytes) -> ExecutionRow:
    """An execution as its columns have it."""
    return msgspec.structs.replace(_execution.decode(body), number=number)


def read_waiting(
    connection: sqlite3.Connection, now: int, limit: int, without: Collection[str] = ()
) -> list[ExecutionRow]:
    """Who is next."""
    asked = {"now": now, "limit": limit, "without": _encode(list(without)).decode()}
    return [execution_row(*row) for row in connection.execute(_SQL["waiting"], asked).fetchall()]


def read_waiting_count(connection: sqlite3.Connection, limit: int) -> int:
    """How many wait, up to the limit."""
    (count,) = connection.execute(_SQL["waiting_count"], {"limit": limit}).fetchone()
    return int(count)


def read_queue(connection: sqlite3.Connection) -> QueueRow:
    """How the queue stands."""
    mode, changed_by, changed_at = connection.execute(_SQL["queue"]).fetchone()
    return QueueRow(QueueMode(mode), changed_by, changed_at)


def read_queue_counts(connection: sqlite3.Connection) -> QueueCounts:
    """Every execution, counted."""
    rows = connection.execute(_SQL["queue_counts"]).fetchall()
    return QueueCounts(
        states={state: count for state, count, *_ in rows},
        retries=sum(retries for _, _, retries, _, _ in rows),
        deferrals=sum(deferrals for _, _, _, deferrals, _ in rows),
        oldest_queued_at=next((oldest for state, _, _, _, oldest in rows if state == "QUEUED"), None),
    )


def read_receipts(connection: sqlite3.Connection, execution_id: str, after: int, limit: int) -> list[ReceiptRow]:
    """A stretch of an execution's receipts."""
    asked = {"execution_id": execution_id, "after": after, "limit": limit}
    return [_receipt.decode(body) for (body,) in connection.execute(_SQL["receipts"], asked).fetchall()]


def write_execution(connection: sqlite3.Connection, changes: Changes, execution: ExecutionRow, now: int) -> None:
    """A new execution, or where one is by now, and the receipt of the attempt that is over with that.

    Raises Conflict, and as `check_admission`.
    """
    seen = changes.moved_from
    row = {
        "number": execution.number,
        "id": execution.id,
        "session_id": execution.session_id,
        "sheet_id": execution.sheet_id,
        "submitted_at": execution.submitted_at,
        "state": execution.state,
        "epoch": execution.epoch,
        "body": _encode(execution),
        "priority": execution.priority,
        "next_attempt_at": execution.next_attempt_at or 0,
        "retry_count": execution.retry_count,
        "deferral_count": execution.deferral_count,
        "replay_of": execution.replay_of,
        "dry_run": execution.dry_run,
        "seen_state": None if seen is None else seen.state,
        "seen_epoch": None if seen is None else seen.epoch,
    }
    if execution.number == 0:
        if changes.most_waiting is not None:
            waiting = read_waiting_count(connection, changes.most_waiting)
            check_admission(read_queue(connection).mode, waiting, changes.most_waiting)
        if connection.execute(_SQL["add_execution"], row).rowcount != 1:
            raise conflict(f'session "{execution.session_id}" has an execution that has not ended; wait for it')
        return
    if connection.execute(_SQL["change_execution"], row).rowcount != 1:
        raise conflict(f'execution "{execution.id}" has moved on; read it again')
    receipt = receipt_of(changes, execution, now)
    if receipt is not None:
        kept = {"execution_id": receipt.execution_id, "epoch": receipt.epoch, "outcome": receipt.outcome}
        connection.execute(_SQL["add_receipt"], kept | {"body": _encode(receipt)})


def conflict(message: str) -> Conflict:
    """The refusal of what somebody else was first with."""
    return Conflict(Reason.CONFLICT, message)

"""The queue on PostgreSQL: functions of a connection that read it, and that write executions, receipts, its mode."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import msgspec

from sheetgrpc.errors import Conflict, Reason
from sheetgrpc.store.queries import load_queries
from sheetgrpc.store.queue import QueueCounts, QueueMode, QueueRow, ReceiptRow, check_admission, receipt_of
from sheetgrpc.store.records import Changes, ExecutionRow

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

_SQL = load_queries("postgres")
_ROOM = 200  # more submits than are ever under way at once, on all servers together

_encode = msgspec.json.Encoder().encode
_execution = msgspec.json.Decoder(ExecutionRow)
_receipt = msgspec.json.Decoder(ReceiptRow)


def execution_row(body: bytes, cancelled_by: str, cancelled_at: int | None) -> ExecutionRow:
    """An execution as its columns have it."""
    # Results lie by the execution's id here: the number says no more than that the row is written.
    row = msgspec.structs.replace(_execution.decode(body), number=1)
    if cancelled_at is None or row.state.terminal:
        return row
    return msgspec.structs.replace(row, cancelled_by=cancelled_by, cancelled_at=cancelled_at)


async def read_waiting(
    connection: "Connection", now: int, limit: int, without: Collection[str] = ()
) -> list[ExecutionRow]:
    """Who is next."""
    return [execution_row(*row) for row in await connection.fetch(_SQL["waiting"], now, limit, list(without))]


async def read_waiting_count(connection: "Connection", limit: int) -> int:
    """How many wait, up to the limit."""
    return int(await connection.fetchval(_SQL["waiting_count"], limit) or 0)


async def read_queue(connection: "Connection") -> QueueRow:
    """How the queue stands."""
    mode, changed_by, changed_at = await connection.fetchrow(_SQL["queue"])  # type: ignore[misc]  # one row, always
    return QueueRow(QueueMode(mode), changed_by, changed_at)


async def read_queue_counts(connection: "Connection") -> QueueCounts:
    """Every execution, counted."""
    rows = await connection.fetch(_SQL["queue_counts"])
    return QueueCounts(
        states={state: count for state, count, *_ in rows},
        retries=sum(int(retries) for _, _, retries, _, _ in rows),
        deferrals=sum(int(deferrals) for _, _, _, deferrals, _ in rows),
        oldest_queued_at=next((oldest for state, _, _, _, oldest in rows if state == "QUEUED"), None),
    )


async def read_receipts(connection: "Connection", execution_id: str, after: int, limit: int) -> list[ReceiptRow]:
    """A stretch of an execution's receipts."""
    return [_receipt.decode(body) for (body,) in await connection.fetch(_SQL["receipts"], execution_id, after, limit)]


async def write_execution(
    connection: "Connection", changes: Changes, execution: ExecutionRow, now: int, lease: float
) -> None:
    """A new execution, or where one is by now, and the receipt of the attempt that is over with that.

    A claim is for `lease` seconds.

    Raises Conflict, and as `check_admission`.
    """
    if execution.number == 0:
        await _add(connection, changes, execution)
        return
    seen = changes.moved_from
    done = await connection.execute(
        _SQL["change_execution"],
        execution.id,
        execution.state,
        execution.epoch,
        _encode(execution),
        execution.next_attempt_at or 0,
        execution.retry_count,
        execution.deferral_count,
        None if seen is None else seen.state,
        None if seen is None else seen.epoch,
        execution.replica,
        lease,
    )
    if not row_count(done):
        raise conflict(f'execution "{execution.id}" has moved on; read it again')
    receipt = receipt_of(changes, execution, now)
    if receipt is not None:
        kept = receipt.execution_id, receipt.epoch, receipt.outcome, _encode(receipt)
        await connection.execute(_SQL["add_receipt"], *kept)


async def _join(connection: "Connection", most: int) -> None:
    """Submits that are under way at once do not see one another: where room is short, one goes in after the other."""
    waiting = await read_waiting_count(connection, most)
    roomy = waiting < most - _ROOM
    mode = QueueMode(await connection.fetchval(_SQL["join_queue" if roomy else "join_queue_alone"]))
    if not roomy:
        waiting = await read_waiting_count(connection, most)
    check_admission(mode, waiting, most)


async def _add(connection: "Connection", changes: Changes, execution: ExecutionRow) -> None:
    if changes.most_waiting is not None:
        await _join(connection, changes.most_waiting)
    done = await connection.execute(
        _SQL["add_execution"],
        execution.id,
        execution.session_id,
        execution.sheet_id,
        execution.submitted_at,
        execution.state,
        execution.epoch,
        _encode(execution),
        execution.priority,
        execution.next_attempt_at or 0,
        execution.replay_of,
        execution.dry_run,
    )
    if not row_count(done):
        raise conflict(f'session "{execution.session_id}" has an execution that has not ended; wait for it')


def row_count(status: str) -> int:
    """How many rows a statement wrote, by what the server says of it: "INSERT 0 1", "UPDATE 1"."""
    return int(status.rpartition(" ")[2])


def conflict(message: str) -> Conflict:
    """The refusal of what somebody else was first with."""
    return Conflict(Reason.CONFLICT, message)

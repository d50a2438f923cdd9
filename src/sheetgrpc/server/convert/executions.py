"""Writes executions, results and the updates of streams as messages."""

from collections.abc import Iterable
from typing import assert_never

from sheetgrpc.engine.updates import (
    Body,
    Finished,
    Heartbeat,
    PhaseCompleted,
    PhaseStarted,
    Progress,
    Snapshot,
    StatementResults,
    Update,
)
from sheetgrpc.engine.views import CancelView, ResultView
from sheetgrpc.planning.model import Effect, ErrorCode, Status
from sheetgrpc.server.convert.enums import (
    ATTEMPT_OUTCOMES,
    CANCEL_OUTCOMES,
    EFFECTS,
    ERROR_CODES,
    EXECUTION_STATES,
    MODES,
    STATUSES,
)
from sheetgrpc.server.convert.plans import write_change
from sheetgrpc.server.convert.sessions import write_session
from sheetgrpc.server.convert.values import write_duration, write_key, write_span, write_struct, write_time
from sheetgrpc.store.queue import ReceiptRow
from sheetgrpc.store.records import ExecutionError, ExecutionRow, TableCounts
from sheetgrpc.trust.model import TrustedModule
from sheetgrpc.v1 import execution_pb2, execution_service_pb2, progress_pb2, statement_result_pb2


def write_execution(row: ExecutionRow) -> execution_pb2.Execution:
    """An execution."""
    return execution_pb2.Execution(
        id=row.id,
        session_id=row.session_id,
        sheet_id=row.sheet_id,
        sheet_digest=row.sheet_digest,
        mode=MODES.write(row.mode),
        state=EXECUTION_STATES.write(row.state),
        epoch=row.epoch,
        phases_completed=row.phases_completed,
        phases_total=row.phases_total,
        statements_total=row.statements_total,
        status_counts=_write_status_counts(row),
        tables=_write_tables(row.tables),
        error=_write_error(row.error),
        submit_time=write_time(row.submitted_at),
        start_time=write_time(row.started_at),
        end_time=write_time(row.ended_at),
        cancelled_by=row.cancelled_by,
        cancel_time=write_time(row.cancelled_at),
        submitted_by=row.submitted_by,
        approval_id=row.approval_id,
        dry_run=row.dry_run,
        plan_digest=row.plan_digest,
        trusted_modules=map(write_trusted_module, row.trusted_modules),
        priority=row.priority,
        retry_count=row.retry_count,
        deferral_count=row.deferral_count,
        next_attempt_time=write_time(row.next_attempt_at),
        replay_of=row.replay_of,
        replica=row.replica,
    )


def write_trusted_module(module: TrustedModule) -> execution_pb2.TrustedModule:
    """The decision on a module."""
    return execution_pb2.TrustedModule(
        module=module.module, version=module.version, sha256=module.sha256, signer=module.signer
    )


def write_receipt(row: ReceiptRow) -> execution_pb2.Receipt:
    """What became of an attempt."""
    return execution_pb2.Receipt(
        execution_id=row.execution_id,
        epoch=row.epoch,
        outcome=ATTEMPT_OUTCOMES.write(row.outcome),
        sheet_digest=row.sheet_digest,
        start_time=write_time(row.started_at),
        end_time=write_time(row.ended_at),
        phases_completed=row.phases_completed,
        tables=_write_tables(row.tables),
        error=_write_error(row.error),
    )


def write_cancel(view: CancelView) -> execution_service_pb2.CancelExecutionResponse:
    """What a cancel came to."""
    return execution_service_pb2.CancelExecutionResponse(
        outcome=CANCEL_OUTCOMES.write(view.outcome),
        execution=write_execution(view.execution),
        session=write_session(view.session),
    )


def write_result(view: ResultView) -> statement_result_pb2.StatementResult:
    """What became of a statement."""
    row = view.row
    message = statement_result_pb2.StatementResult(
        index=row.index,
        depth=row.depth,
        status=STATUSES.write(Status(row.status)),
        returned_key=write_key(row.key),
        rows=map(write_struct, row.rows or ()),
        duration=write_duration(row.micros),
    )
    if row.effect:
        message.effect_kind = EFFECTS.write(Effect(row.effect))
    if row.error is not None:
        message.error.code = ERROR_CODES.write(row.error.code)
        message.error.message = row.error.message
        message.error.detail = row.error.detail
        if row.error.blocked_by is not None:
            message.error.blocked_by = row.error.blocked_by
        if view.span is not None:
            message.error.span.CopyFrom(write_span(view.span))
    return message


def encode_update(update: Update, max_bytes: int) -> bytes:
    """The bytes of an update, for both kinds of stream, made once whoever asks first.

    Results that would make the message larger than `max_bytes` come without the rows they read:
    ListStatementResults has them.
    """
    if update.encoded is None:
        message = _write_update(update)
        if message.ByteSize() > max_bytes:
            for result in message.statements.results:
                del result.rows[:]
        update.encoded = message.SerializeToString()
    return update.encoded


def _write_status_counts(row: ExecutionRow) -> list[execution_pb2.StatusCount]:
    return [
        execution_pb2.StatusCount(status=STATUSES.write(status), count=row.status_counts[status.name])
        for status in Status
        if row.status_counts.get(status.name)
    ]


def _write_tables(tables: Iterable[TableCounts]) -> list[execution_pb2.TableCounts]:
    return [
        execution_pb2.TableCounts(
            table=one.table, created=one.created, updated=one.updated, unchanged=one.unchanged, deleted=one.deleted
        )
        for one in sorted(tables, key=lambda one: one.table)
    ]


def _write_error(error: ExecutionError | None) -> execution_pb2.ExecutionError | None:
    if error is None:
        return None
    return execution_pb2.ExecutionError(
        code=ERROR_CODES.write(ErrorCode(error.code)),
        message=error.message,
        statement_index=error.statement_index,
        span=write_span(error.span) if error.span is not None else None,
        changes=map(write_change, error.changes),
    )


def _write_update(update: Update) -> execution_service_pb2.WatchExecutionResponse:
    message = execution_service_pb2.WatchExecutionResponse(
        epoch=update.epoch, sequence=update.sequence, resume_token=update.token, time=write_time(update.time)
    )
    _set_body(message, update.body)
    return message


def _set_body(message: execution_service_pb2.WatchExecutionResponse, body: Body) -> None:
    match body:
        case Snapshot(execution=execution):
            message.snapshot.CopyFrom(write_execution(execution))
        case PhaseStarted():
            message.phase_started.CopyFrom(
                execution_service_pb2.PhaseStarted(depth=body.depth, statement_count=body.statement_count)
            )
        case PhaseCompleted():
            message.phase_completed.CopyFrom(
                execution_service_pb2.PhaseCompleted(
                    first_depth=body.first_depth,
                    last_depth=body.last_depth,
                    succeeded=body.succeeded,
                    failed=body.failed,
                    skipped=body.skipped,
                )
            )
        case StatementResults(results=results):
            message.statements.SetInParent()
            message.statements.results.extend(map(write_result, results))
        case Progress():
            message.progress.CopyFrom(progress_pb2.Progress(completed=body.completed, total=body.total))
        case Finished(execution=execution):
            message.finished.CopyFrom(write_execution(execution))
        case Heartbeat():
            message.heartbeat = True
        case _:
            assert_never(body)

"""Writes how the queue stands, in words and figures, as messages."""

from sheetgrpc.engine.breakers import BreakerView
from sheetgrpc.engine.controlling import QueueStats
from sheetgrpc.server.convert.enums import BREAKER_STATES, EXECUTION_STATES, QUEUE_MODES
from sheetgrpc.server.convert.values import write_duration, write_time
from sheetgrpc.store.queue import QueueRow
from sheetgrpc.v1 import control_service_pb2 as pb


def write_queue(row: QueueRow) -> pb.Queue:
    """How the queue stands."""
    return pb.Queue(
        mode=QUEUE_MODES.write(row.mode),
        changed_by=row.changed_by,
        change_time=write_time(row.changed_at or None),
    )


def write_stats(stats: QueueStats, *, max_running: int, max_queued: int) -> pb.QueueStats:
    """The queue in figures."""
    oldest = stats.counts.oldest_queued_at
    return pb.QueueStats(
        queue=write_queue(stats.queue),
        state_counts=[
            pb.ExecutionStateCount(state=EXECUTION_STATES.write(state), count=count)
            for state, count in stats.states.items()
            if count
        ],
        execution_count=sum(stats.states.values()),
        max_running=max_running,
        running=stats.running,
        max_queued=max_queued,
        oldest_queued_time=write_time(oldest),
        oldest_queued_age=write_duration(max(0, stats.now - oldest)) if oldest is not None else None,
        retry_count=stats.counts.retries,
        deferral_count=stats.counts.deferrals,
        breakers=[_write_breaker(view, stats.now) for view in stats.breakers],
    )


def _write_breaker(view: BreakerView, now: int) -> pb.Breaker:
    return pb.Breaker(
        module=view.breaker.module,
        state=BREAKER_STATES.write(view.state),
        consecutive_failures=view.breaker.failures,
        paused_by=view.breaker.paused_by,
        next_probe_time=write_time(now + round(view.wait * 1_000_000)) if view.wait else None,
    )

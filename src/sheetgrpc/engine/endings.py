"""How an execution ends: what its statements read afterwards, its counts, and what follows for the session."""

import heapq
from collections.abc import Iterable, Sequence

import msgspec

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.engine.aside import STATEMENT, aside
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.runs import Cancel
from sheetgrpc.planning import blocking
from sheetgrpc.planning.model import Effect, ErrorCode, Group, HandlerFault, Key, Plan, Results, Status
from sheetgrpc.session import commands
from sheetgrpc.session.machine import decide, evolve
from sheetgrpc.session.model import ExecutionState, Session
from sheetgrpc.store.base import Store
from sheetgrpc.store.records import (
    Changes,
    ExecutionError,
    ExecutionRow,
    SessionRow,
    SymbolChange,
    SymbolRow,
    TableCounts,
)
from sheetgrpc.trust.model import Handlers

_SHOWN_SYMBOLS = 100


def finish(execution: ExecutionRow, state: ExecutionState, now: int) -> ExecutionRow:
    """The execution, ended now."""
    return msgspec.structs.replace(execution, state=state, ended_at=max(now, execution.started_at or now))


def is_stale(ended: ExecutionRow) -> bool:
    """True where nothing was applied because the plan that the execution was bound to no longer holds."""
    return ended.error is not None and ended.error.code == ErrorCode.PLAN_STALE


def cancelled_before_start(execution: ExecutionRow, cancel: Cancel, now: int) -> ExecutionRow:
    """An execution of which nothing ran, cancelled: queued, or left behind by a run whose end was never stored."""
    ended = finish(execution, ExecutionState.CANCELLED, now)
    return msgspec.structs.replace(
        ended,
        cancelled_by=cancel.by,
        cancelled_at=cancel.at,
        status_counts={Status.NOT_RUN.name: execution.statements_total},
        error=ExecutionError(ErrorCode.CANCELLED, "the execution was cancelled; nothing of it was applied"),
    )


def interrupted(execution: ExecutionRow, now: int) -> ExecutionRow:
    """An execution whose server died while it ran; its transaction died with it."""
    message = "the server stopped while the sheet ran; nothing of it was applied"
    ended = msgspec.structs.replace(
        execution,
        error=ExecutionError(ErrorCode.CANCELLED, message),
        status_counts={Status.NOT_RUN.name: execution.statements_total},
    )
    return finish(ended, ExecutionState.INTERRUPTED, now)


def cancelled(ended: ExecutionRow, cancel: Cancel) -> ExecutionRow:
    """An execution of which nothing is applied, cancelled by somebody who was told so, whatever else ended it."""
    message = "the execution was cancelled; everything was rolled back"
    return msgspec.structs.replace(
        ended,
        state=ExecutionState.CANCELLED,
        cancelled_by=cancel.by,
        cancelled_at=cancel.at,
        tables=(),
        error=ExecutionError(ErrorCode.CANCELLED, message),
    )


def settle(catalog: Catalog, plan: Plan, results: Results, first: int, *, undone: bool) -> None:
    """What statements read once nothing more runs; batches from `first` on did not.

    What hangs on a failure is SKIPPED, the rest that never started NOT_RUN. After a rollback nothing reads SUCCESS.
    """
    blocking.skip_rest(catalog, plan, results, first)
    for status, after in ((Status.RESOLVED, Status.NOT_RUN), (Status.SUCCESS, Status.ROLLED_BACK)):
        if status is Status.SUCCESS and not undone:
            continue
        results.status = results.status.replace(bytes([status]), bytes([after]))
    if undone:
        results.effect = bytearray(plan.count)
        results.keys = [None] * plan.count
        results.rows = {}
        results.emitted = {}
    elif results.status.count(Status.SUCCESS) < plan.count:
        results.keys = [
            key if status == Status.SUCCESS else None for key, status in zip(results.keys, results.status, strict=True)
        ]


def count_statuses(results: Results) -> dict[str, int]:
    """How many statements read what; only what there is."""
    counts = {status.name: results.status.count(status) for status in Status}
    return {name: count for name, count in counts.items() if count}


def count_tables(catalog: Catalog, plan: Plan, results: Results) -> tuple[TableCounts, ...]:
    """Rows per table, by name."""
    counts: dict[str, list[int]] = {}
    effects = (Effect.CREATED, Effect.UPDATED, Effect.UNCHANGED, Effect.DELETED)
    for group in plan.groups:
        verb = catalog.verbs[group.verb]
        if verb.writes:
            done = bytes(map(results.effect.__getitem__, group.indexes))
            sums = counts.setdefault(verb.table, [0] * len(effects))
            for at, effect in enumerate(effects):
                sums[at] += done.count(effect)
    for index, more in results.more_rows.items():  # one statement, many rows
        if results.effect[index] in effects:
            table = catalog.verbs[plan.groups[plan.group_of[index]].verb].table
            counts[table][effects.index(Effect(results.effect[index]))] += more
    for emitted in results.emitted.values():
        for one in emitted:
            if one.kind in effects and one.table in catalog.tables:  # a handler may tell of changes elsewhere too
                counts.setdefault(one.table, [0] * len(effects))[effects.index(Effect(one.kind))] += 1
    return tuple(TableCounts(table, *sums) for table, sums in sorted(counts.items()))


def judge_modules(
    handlers: Handlers, ended: ExecutionRow, plan: Plan | None, results: Results | None
) -> tuple[frozenset[str], frozenset[str]]:
    """The modules that failed in an attempt, and those that did well, for their breakers; of others it says nothing.

    A call has failed if its function did by itself, or was under way when the time was over. That a dry run goes well
    says nothing: functions may leave out there what would fail.
    """
    if plan is None or results is None or not ended.trusted_modules:
        return frozenset(), frozenset()
    faults: Iterable[int] = ()
    if ended.state in (ExecutionState.ROLLED_BACK, ExecutionState.PARTIAL):
        faults = [index for index, error in results.errors.items() if isinstance(error, HandlerFault)]
    elif ended.state is ExecutionState.TIMED_OUT and results.running >= 0:
        faults = (results.running,)
    failed = handlers.of(plan.groups[plan.group_of[index]].verb for index in faults)
    well = ended.trusted_modules if ended.state is ExecutionState.SUCCEEDED and not ended.dry_run else ()
    return frozenset(one.module for one in failed), frozenset(one.module for one in well)


def outcome(context: Context, session: Session, ended: ExecutionRow, before: ExecutionRow) -> Changes:
    """What ends an execution and its session's EXECUTING together; nothing, where it is not as `before` any more.

    Of a dry run the session hears nothing.
    """
    draw = context.draws.draw()
    if ended.dry_run:
        alive = None if session.lifecycle.terminal else draw.now
        return Changes(session=session, events=(), active_at=alive, execution=ended)
    command = commands.FinishExecution(
        execution_id=ended.id,
        state=ended.state,
        completed=ended.status_counts.get(Status.SUCCESS.name, 0),
        total=ended.statements_total,
        stale=is_stale(ended),
    )
    events = decide(session, command, draw, catalog_digest=context.catalog.digest)
    for event in events:
        session = evolve(session, event)
    return Changes(session=session, events=events, active_at=draw.now, execution=ended, moved_from=before)


async def committed_symbols(
    store: Store, row: SessionRow, catalog: Catalog, plan: Plan, results: Results, execution_id: str
) -> SymbolChange:
    """The session's symbols once this run has committed: a new binding of a name hides the old one."""
    fresh = await aside(plan.count * STATEMENT, _bound, catalog, plan, results)
    again = 0
    earlier: Sequence[str] = row.session.committed
    if earlier and fresh:
        again = len(await store.symbols(earlier, list(fresh), "", len(fresh)))
    merged = {symbol.name: symbol for symbol in row.symbols}
    for name in heapq.nsmallest(_SHOWN_SYMBOLS, fresh):
        merged[name] = SymbolRow(name, *fresh[name], execution_id)
    first = tuple(merged[name] for name in heapq.nsmallest(_SHOWN_SYMBOLS, merged))
    return SymbolChange(row.symbol_count + len(fresh) - again, first)


def _bound(catalog: Catalog, plan: Plan, results: Results) -> dict[str, tuple[str, Key]]:
    """Name -> (entity type, key) of all that the run bound."""
    found: dict[str, tuple[str, Key]] = {}
    for group in plan.groups:
        entity = catalog.verbs[group.verb].entity
        if entity is not None:
            found.update((name, (entity, key)) for name, key in _bindings(group, results))
    return found


def _bindings(group: Group, results: Results) -> list[tuple[str, Key]]:
    """The names a person bound, with the keys they stand for."""
    return [
        (name, key)
        for name, index in zip(group.bindings or (), group.indexes, strict=False)  # no bindings: nothing
        if name is not None and not name.startswith("__") and (key := results.keys[index]) is not None
    ]

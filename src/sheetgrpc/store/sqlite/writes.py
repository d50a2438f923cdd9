"""Writes the batches of a plan, on the thread that owns the connection; everything here is synchronous.

A batch goes the fast way: a look-up and an insert or update over many rows at once. If anything in it fails, the batch
is taken back and goes again row by row, in statement order, so that the failing statements are known exactly.
"""

import sqlite3
from collections.abc import Iterable
from functools import cache, partial
from itertools import chain, islice
from time import perf_counter_ns

from sheetgrpc.catalog.model import Catalog, Entity, VerbKind
from sheetgrpc.planning import blocking
from sheetgrpc.planning.model import Effect, Group, Key, Plan, Results, StatementError, Status
from sheetgrpc.store.base import Interrupted
from sheetgrpc.store.batches import (
    DOOMED,
    PIECE,
    Entangled,
    Failure,
    bind,
    bind_cell,
    details_of,
    doom,
    note_time,
    prepare_again,
    reach,
    symbols_of,
    take_back,
    wanted_keys,
)
from sheetgrpc.store.records import ExecutionRow
from sheetgrpc.store.shapes import quote
from sheetgrpc.store.sqlite.calls import Desk, run_calls
from sheetgrpc.store.sqlite.statements import CHUNK_ROWS, Compiled, Shape
from sheetgrpc.store.sqlite.verbs import run_rows, run_single


def apply(
    connection: sqlite3.Connection,
    compiled: Compiled,
    plan: Plan,
    first: int,
    last: int,
    results: Results,
    desk: Desk,
    *,
    collect: bool,
) -> int:
    """Writes batches `first..last-1`; answers how many were done. See `store.base.Transaction.apply`."""
    shapes = [compiled.shape(group) for group in plan.groups]
    at = tried = first
    began = perf_counter_ns()
    while at < last:
        if results.stop:
            raise Interrupted("the run was told to stop")
        number, start, stop, depth = plan.batches[4 * at : 4 * at + 4]
        group, shape = plan.groups[number], shapes[number]
        if at >= tried:
            tried = reach(compiled.catalog, plan, results, at, last)
            end = plan.batches[4 * tried - 2]
            if tried > at + 1 and _at_once(connection, shape, group, start, end, results, several=True):
                ended = perf_counter_ns()
                note_time(group, start, end, results, ended - began)
                at, began = tried, ended
                continue
        if results.roots:
            blocking.skip(compiled.catalog, results, group, start, stop, depth)
        if shape.verb.kind is VerbKind.CALL:
            failed = not run_calls(
                connection, compiled.calling, desk, plan, group, start, stop, results, collect=collect
            )
            ended = perf_counter_ns()
        else:
            failed = _apply_batch(connection, compiled, shape, plan, group, start, stop, results, collect=collect)
            ended = perf_counter_ns()
            note_time(group, start, stop, results, ended - began)
        at, began = at + 1, ended
        if failed and not collect:
            break
    return at - first


def _apply_batch(
    connection: sqlite3.Connection,
    compiled: Compiled,
    shape: Shape,
    plan: Plan,
    group: Group,
    start: int,
    stop: int,
    results: Results,
    *,
    collect: bool,
) -> bool:
    """True if something failed."""
    if stop - start > 1 and _at_once(connection, shape, group, start, stop, results):
        return False
    return not _one_by_one(connection, compiled.catalog, shape, plan, group, start, stop, results, collect=collect)


def _at_once(
    connection: sqlite3.Connection,
    shape: Shape,
    group: Group,
    start: int,
    stop: int,
    results: Results,
    *,
    several: bool = False,
) -> bool:
    """All of these rows in pieces, or nothing of them in the database, and False; `several` batches are one piece."""
    indexes = group.indexes[start:stop]
    keys = [results.keys[index] for index in indexes] if several else []
    connection.execute("SAVEPOINT batch")
    try:
        if results.doomed and not results.doomed.keys().isdisjoint(indexes):
            raise Failure(DOOMED)
        for begin in range(start, stop, PIECE):
            if results.stop:
                raise Interrupted("the run was told to stop")
            results.note(group.indexes[begin])
            rebind = partial(bind, group, begin, min(begin + PIECE, stop), results)
            run_rows(connection, shape, rebind(), results, rebind if several else None)
    except (Failure, Entangled):
        connection.execute("ROLLBACK TO batch")
        if several:
            take_back(indexes, keys, results)
        return False
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE batch")
    return True


def _one_by_one(
    connection: sqlite3.Connection,
    catalog: Catalog,
    shape: Shape,
    plan: Plan,
    group: Group,
    start: int,
    stop: int,
    results: Results,
    *,
    collect: bool,
) -> bool:
    """True if every row went well. Stops at the first failing one unless `collect`."""
    folds = prepare_again(shape, group, start, stop, results) if stop - start > 1 else {}
    well = True
    for row in range(start, stop):
        if results.stop:
            raise Interrupted("the run was told to stop")
        index = group.indexes[row]
        if results.status[index] == Status.SKIPPED:
            continue
        error = results.doomed.get(index) or results.errors.get(folds.get(index, index))
        if error is None:
            results.note(index)
            error = _run_one(connection, shape, group, row, results, alone=collect)
        if error is not None:
            well = False
            blocking.fail(catalog, plan, results, index, error)
            results.effect[index] = Effect.NONE
            if not collect:
                return False
    return well


def _run_one(
    connection: sqlite3.Connection, shape: Shape, group: Group, row: int, results: Results, *, alone: bool
) -> StatementError | None:
    """`alone`: others go on after a failure, so nothing of it may stay, whatever the user's triggers do."""
    if alone:
        connection.execute("SAVEPOINT statement")
    try:
        if shape.one.inserts:
            cells = [bind_cell(column, row, results) for column in group.columns]
            run_single(connection, shape, group.indexes[row], cells, results)
        else:
            run_rows(connection, shape, bind(group, row, row + 1, results), results)
    except Failure as failure:
        if alone:
            connection.execute("ROLLBACK TO statement")
        return failure.error
    finally:
        if alone and connection.in_transaction:
            connection.execute("RELEASE statement")
    return None


def recheck(connection: sqlite3.Connection, catalog: Catalog, plan: Plan, results: Results) -> None:
    """Dooms statements whose keys, known since the parse, have no row now."""
    for group, column, entity, keys in wanted_keys(catalog, plan):
        gone = keys - _there(connection, entity, keys)
        if gone:
            doom(group, column, entity.name, gone, results)


def _there(connection: sqlite3.Connection, entity: Entity, keys: set[Key]) -> set[Key]:
    table, column = quote(entity.table), quote(entity.key.column)
    found: set[Key] = set()
    every = list(keys)
    for start in range(0, len(every), CHUNK_ROWS):
        part = every[start : start + CHUNK_ROWS]
        sql = f"SELECT {column} FROM {table} WHERE {column} IN ({', '.join('?' * len(part))})"
        found.update(key for (key,) in connection.execute(sql, part))
    return found


def record(
    connection: sqlite3.Connection, execution: ExecutionRow, plan: Plan, results: Results, catalog: Catalog
) -> None:
    """Writes the result row of every statement."""
    symbols, types = symbols_of(catalog, plan)
    details = details_of(results)
    columns: dict[str, Iterable[str | int | bytes | None]] = {
        "statement_index": range(plan.count),
        "depth": plan.depths,
        "status": results.status,
        "effect": results.effect,
        "key": results.keys,
        "symbol": symbols,
        "entity_type": types,
        "micros": results.micros,
    }
    if details:  # of most sheets no statement has any
        columns["detail"] = map(details.get, range(plan.count))
    rows = zip(*columns.values(), strict=True)
    names = tuple(columns)
    for _ in range(plan.count // CHUNK_ROWS):
        part = chain.from_iterable(islice(rows, CHUNK_ROWS))
        connection.execute(_insert_results(names, CHUNK_ROWS), [execution.number, *part])
    connection.executemany(_insert_results(names, 1), [(execution.number, *row) for row in rows])


@cache
def _insert_results(columns: tuple[str, ...], count: int) -> str:
    """So many rows; what is the same in all of them is bound once."""
    row = f"(?1, {', '.join('?' * len(columns))})"
    return f"INSERT INTO sheetgrpc_results (execution, {', '.join(columns)}) VALUES {', '.join([row] * count)}"

"""Writes the batches of a plan, on the thread that owns the connection; everything here is synchronous.

A batch goes the fast way: a look-up and an insert or update over many rows at once. If anything in it fails, the batch
is taken back and goes again row by row, in statement order, so that the failing statements are known exactly.
"""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain, islice, repeat
from time import perf_counter_ns

import msgspec

from sheetgrpc.catalog.model import Catalog, Entity, Type
from sheetgrpc.planning import blocking
from sheetgrpc.planning.model import Cell, Column, Effect, ErrorCode, Group, Key, Plan, Results, StatementError, Status
from sheetgrpc.store.base import Interrupted
from sheetgrpc.store.records import ExecutionRow
from sheetgrpc.store.sqlite.statements import CHUNK_ROWS, Compiled, Shape, quote
from sheetgrpc.store.sqlite.verbs import Entangled, Failure, Rows, fold, run_rows, run_single

_PIECE = 4096  # rows bound at a time: no C call over more than this holds the GIL
_RESULT_COLUMNS = 10
_DOOMED = StatementError(ErrorCode.ENTITY_NOT_FOUND, "a row has gone")  # which statements, the row-by-row pass tells


def apply(
    connection: sqlite3.Connection,
    compiled: Compiled,
    plan: Plan,
    first: int,
    last: int,
    results: Results,
    *,
    collect: bool,
) -> int:
    """Writes batches `first..last-1`; answers how many were done. See `store.base.Transaction.apply`."""
    shapes = [compiled.shape(group) for group in plan.groups]
    batches = iter(plan.batches[4 * first : 4 * last])
    began = perf_counter_ns()
    for done, (number, start, stop, depth) in enumerate(zip(batches, batches, batches, batches, strict=True), 1):
        if results.stop:
            raise Interrupted("the run was told to stop")
        group, shape = plan.groups[number], shapes[number]
        if results.roots:
            blocking.skip(compiled.catalog, results, group, start, stop, depth)
        failed = _apply_batch(connection, compiled, shape, plan, group, start, stop, results, collect=collect)
        ended = perf_counter_ns()
        _note_time(group, start, stop, results, ended - began)
        began = ended
        if failed and not collect:
            return done
    return last - first


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
    if stop - start == 1:
        return not _one_by_one(connection, compiled.catalog, shape, plan, group, start, stop, results, collect=collect)
    connection.execute("SAVEPOINT batch")
    try:
        if results.doomed and not results.doomed.keys().isdisjoint(group.indexes[start:stop]):
            raise Failure(_DOOMED)
        for begin in range(start, stop, _PIECE):
            if results.stop:
                raise Interrupted("the run was told to stop")
            results.note(group.indexes[begin])
            rows = _bind(group, begin, min(begin + _PIECE, stop), results)
            run_rows(connection, shape, rows, results)
    except (Failure, Entangled):
        connection.execute("ROLLBACK TO batch")
        return not _one_by_one(connection, compiled.catalog, shape, plan, group, start, stop, results, collect=collect)
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE batch")
    return False


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
    folds = _prepare_again(shape, group, start, stop, results) if stop - start > 1 else {}
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
            cells = [_cell(column, row, results) for column in group.columns]
            run_single(connection, shape, group.indexes[row], cells, results)
        else:
            run_rows(connection, shape, _bind(group, row, row + 1, results), results)
    except Failure as failure:
        if alone:
            connection.execute("ROLLBACK TO statement")
        return failure.error
    finally:
        if alone and connection.in_transaction:
            connection.execute("RELEASE statement")
    return None


def _prepare_again(shape: Shape, group: Group, start: int, stop: int, results: Results) -> dict[int, int]:
    """Forgets what was noted of a batch that was taken back; answers which statements fold into which before them.

    One that folds runs all the same, and finds what is there, unless that one failed: then it fails alike.
    """
    rows = _bind(group, start, stop, results)
    for index in rows.indexes:
        results.status[index], results.effect[index] = Status.RESOLVED, Effect.NONE
        results.rows.pop(index, None)
    _, folds = fold(shape, rows)
    return {rows.indexes[at]: rows.indexes[same] for at, same in folds.items()}


def _bind(group: Group, start: int, stop: int, results: Results) -> Rows:
    """Rows `start:stop` of a group with every symbol replaced by its key; skipped ones left out."""
    indexes: Sequence[int] = group.indexes[start:stop]
    columns = [_cells(column, start, stop, results) for column in group.columns]
    bound = [name is not None for name in group.bindings[start:stop]] if group.bindings is not None else None
    if results.roots and any(results.status[index] == Status.SKIPPED for index in indexes):
        keep = [at for at, index in enumerate(indexes) if results.status[index] != Status.SKIPPED]
        indexes = [indexes[at] for at in keep]
        columns = [[column[at] for at in keep] for column in columns]
        bound = [bound[at] for at in keep] if bound is not None else None
    return Rows(indexes=indexes, columns=columns, bound=bound)


def _cells(column: Column, start: int, stop: int, results: Results) -> list[Cell]:
    values = column.values[start:stop]
    if column.refs is not None:
        keys = results.keys
        refs = column.refs[start:stop]
        values = [keys[ref] if ref >= 0 else value for ref, value in zip(refs, values, strict=True)]
        if column.as_text:
            values = [str(value) if isinstance(value, int) else value for value in values]
    if column.trees:
        for row in range(start, stop):
            pieces = column.trees.get(row)
            if pieces is not None:
                values[row - start] = "".join(
                    piece if isinstance(piece, str) else msgspec.json.encode(results.keys[piece]).decode()
                    for piece in pieces
                )
    return values


def _cell(column: Column, row: int, results: Results) -> Cell:
    """One cell of `_cells`, without making columns."""
    if column.trees or column.as_text:
        return _cells(column, row, row + 1, results)[0]
    if column.refs is not None:
        ref = column.refs[row]
        if ref >= 0:
            return results.keys[ref]
    return column.values[row]


def _note_time(group: Group, start: int, stop: int, results: Results, nanoseconds: int) -> None:
    """A statement's duration is its share of its batch's."""
    share = min(nanoseconds // 1000 // (stop - start), 2**31 - 1)
    if stop - start == 1:
        results.micros[group.indexes[start]] = share
        return
    for index in group.indexes[start:stop]:
        results.micros[index] = share


def recheck(connection: sqlite3.Connection, catalog: Catalog, plan: Plan, results: Results) -> None:
    """Dooms statements whose keys, known since the parse, have no row now. `by` arguments find rows anyway."""
    for group in plan.groups:
        verb = catalog.verbs[group.verb]
        entities = {argument.name: argument.entity for argument in verb.arguments}
        for column in group.columns:
            entity = entities[column.argument]
            if column.type is not Type.ENTITY or entity is None or column.argument in verb.by:
                continue
            keys = {key for key in column.values if isinstance(key, (str, int))}
            gone = keys - _there(connection, catalog.entities[entity], keys) if keys else keys
            if gone:
                _doom(group, column, entity, gone, results)


def _there(connection: sqlite3.Connection, entity: Entity, keys: set[Key]) -> set[Key]:
    table, column = quote(entity.table), quote(entity.key.column)
    found: set[Key] = set()
    every = list(keys)
    for start in range(0, len(every), CHUNK_ROWS):
        part = every[start : start + CHUNK_ROWS]
        sql = f"SELECT {column} FROM {table} WHERE {column} IN ({', '.join('?' * len(part))})"
        found.update(key for (key,) in connection.execute(sql, part))
    return found


def _doom(group: Group, column: Column, entity: str, gone: set[Key], results: Results) -> None:
    for index, key in zip(group.indexes, column.values, strict=True):
        if isinstance(key, (str, int)) and key in gone:
            message = f"argument :{column.argument}: the {entity} {key} is gone since the sheet was parsed"
            results.doomed[index] = StatementError(ErrorCode.ENTITY_NOT_FOUND, message)


def record(
    connection: sqlite3.Connection, execution: ExecutionRow, plan: Plan, results: Results, catalog: Catalog
) -> None:
    """Writes the result row of every statement."""
    symbols: list[str | None] = [None] * plan.count
    types: list[str | None] = [None] * plan.count
    for group in plan.groups:
        if group.bindings is not None:
            entity = catalog.verbs[group.verb].entity
            for index, name in zip(group.indexes, group.bindings, strict=True):
                if name is not None and not name.startswith("__"):  # what the server named is nobody's symbol
                    symbols[index], types[index] = name, entity
    details = _details(results)
    rows = zip(
        repeat(execution.number),
        range(plan.count),
        plan.depths,
        results.status,
        results.effect,
        results.keys,
        symbols,
        types,
        results.micros,
        map(details.get, range(plan.count)) if details else repeat(None),
        strict=False,  # repeat() has no end
    )
    _insert_results(connection, rows, plan.count)


class Detail(msgspec.Struct, omit_defaults=True):
    """The part of a result that few statements have, as stored."""

    error: StatementError | None = None
    rows: list[dict[str, object]] | None = None


def _details(results: Results) -> dict[int, bytes]:
    encode: Callable[[Detail], bytes] = msgspec.json.Encoder().encode
    wanted = results.errors.keys() | results.rows.keys()
    return {index: encode(Detail(results.errors.get(index), results.rows.get(index))) for index in wanted}


_INSERT_RESULTS = (
    "INSERT INTO sheetgrpc_results"
    " (execution, statement_index, depth, status, effect, key, symbol, entity_type, micros, detail) VALUES "
)


def _insert_results(connection: sqlite3.Connection, rows: zip, count: int) -> None:  # type: ignore[type-arg]
    one = f"({', '.join('?' * _RESULT_COLUMNS)})"
    whole = _INSERT_RESULTS + ", ".join([one] * CHUNK_ROWS)
    for _ in range(count // CHUNK_ROWS):
        connection.execute(whole, list(chain.from_iterable(islice(rows, CHUNK_ROWS))))
    connection.executemany(_INSERT_RESULTS + one, list(rows) if count % CHUNK_ROWS else [])

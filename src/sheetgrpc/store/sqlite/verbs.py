"""What each kind of verb does to rows of its table, many at a time (DESIGN section 5's table of kinds).

All functions write into `Results` and raise `Failure` for the first thing wrong; the caller takes the batch back then.
Rows that name the same row of the table with other values go one after another, in rounds; equal ones fold.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from sheetgrpc.catalog.model import KeySource, VerbKind
from sheetgrpc.planning.model import Cell, Effect, ErrorCode, Key, Results, StatementError, Status
from sheetgrpc.store.sqlite.statements import Shape

_CONSTRAINTS = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: ("unique", "another row has the same unique values"),
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: ("primary key", "another row has this key"),
    sqlite3.SQLITE_CONSTRAINT_ROWID: ("primary key", "another row has this key"),
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: (
        "foreign key",
        "a row that it refers to is missing, or rows still refer to it",
    ),
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: ("not null", "a column that needs a value has none"),
    sqlite3.SQLITE_CONSTRAINT_CHECK: ("check", "a value breaks a check of the table"),
}


class Failure(Exception):
    """A statement cannot be done. Never leaves the store package."""

    def __init__(self, error: StatementError) -> None:
        super().__init__(error.message)
        self.error = error


class Rows(msgspec.Struct):
    """Statements of one shape, bound: `columns[a][r]` is given argument a of statement `indexes[r]`."""

    indexes: Sequence[int]
    columns: list[list[Cell]]
    bound: list[bool] | None  # which statements have an `:as`

    def pick(self, at: Sequence[int]) -> "Rows":
        """Some of the rows."""
        return Rows(
            indexes=[self.indexes[i] for i in at],
            columns=[[column[i] for i in at] for column in self.columns],
            bound=[self.bound[i] for i in at] if self.bound is not None else None,
        )


def run_rows(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    """Does the statements of one shape. Raises Failure; then some of them may have been done."""
    if not rows.indexes:
        return
    try:
        _RUN[shape.verb.kind](connection, shape, rows, results)
    except sqlite3.IntegrityError as error:
        if not connection.in_transaction:
            raise  # a trigger rolled the whole transaction back: this is no statement's failure
        kind, message = _CONSTRAINTS.get(
            error.sqlite_errorcode, ("constraint", "a constraint of the table does not hold")
        )
        raise Failure(StatementError(ErrorCode.DB_CONSTRAINT, f"{shape.verb.table}: {message}", kind)) from error
    except (sqlite3.DataError, OverflowError) as error:
        message = f"{shape.verb.table}: a value is too large for the database"
        raise Failure(StatementError(ErrorCode.INVALID_ARGUMENT, message)) from error


def _create(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    _insert(connection, shape, rows, results)
    _succeed(rows.indexes, results, Effect.CREATED)


def _ensure(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    """Look up by natural key; insert what is missing, update what differs (also link)."""
    for part in _rounds(shape, rows, results):
        found = _find(connection, shape, part)
        missing = [at for at in range(len(part.indexes)) if at not in found]
        if len(missing) == len(part.indexes):
            _insert_found_missing(connection, shape, part, results)
            continue
        for at, (_, key, _) in found.items():
            results.keys[part.indexes[at]] = key
        _succeed(part.indexes, results, Effect.UNCHANGED)
        changed = [at for at, (_, _, differs) in found.items() if differs]
        if changed:
            _update_rows(connection, shape, part.pick(sorted(changed)), results)
        if missing:
            _insert_found_missing(connection, shape, part.pick(missing), results)


def _insert_found_missing(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    _insert(connection, shape, rows, results)
    _succeed(rows.indexes, results, Effect.CREATED)


def _rounds(shape: Shape, rows: Rows, results: Results) -> Iterator[Rows]:
    """Rows whose natural keys are distinct; equal ones folded, others in a later round."""
    count = len(rows.indexes)
    while True:
        named = list(zip(*shape.cells(rows.columns, shape.by, count), strict=True))
        if len(set(named)) == count:
            yield rows
            return
        first: dict[tuple[Cell, ...], int] = {}
        for at, name in enumerate(named):
            first.setdefault(name, at)
        cells = list(zip(*rows.columns, strict=True))
        folds = [
            (at, first[name]) for at, name in enumerate(named) if at != first[name] and cells[at] == cells[first[name]]
        ]
        later = [at for at, name in enumerate(named) if at != first[name] and cells[at] != cells[first[name]]]
        yield rows.pick(list(first.values()))
        for at, same in folds:
            index = rows.indexes[at]
            results.keys[index] = results.keys[rows.indexes[same]]
            results.status[index], results.effect[index] = Status.SUCCESS, Effect.UNCHANGED
        if not later:
            return
        rows = rows.pick(later)
        count = len(later)


def _update(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    for part in _distinct(shape, rows):
        found = _find(connection, shape, part)
        _succeed(part.indexes, results, Effect.UNCHANGED)
        _require_found(shape, part, found)
        changed = sorted(at for at, (_, _, differs) in found.items() if differs)
        if changed:
            _update_rows(connection, shape, part.pick(changed), results)


def _update_rows(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    count = len(rows.indexes)
    cells = shape.cells(rows.columns, [*shape.sets, *shape.by], count)
    connection.executemany(shape.update(), list(zip(*cells, strict=True)))
    _succeed(rows.indexes, results, Effect.UPDATED)


def _delete(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    for part in _distinct(shape, rows):
        found = _find(connection, shape, part)
        _succeed(part.indexes, results, Effect.UNCHANGED)
        _require_found(shape, part, found)
        there = part.pick(sorted(found))
        cells = shape.cells(there.columns, shape.by, len(there.indexes))
        connection.executemany(shape.delete(), list(zip(*cells, strict=True)))
        _succeed(there.indexes, results, Effect.DELETED)


def _distinct(shape: Shape, rows: Rows) -> Iterator[Rows]:
    """Rows that select distinct rows of the table, in rounds: a later one sees what an earlier one did."""
    while True:
        named = list(zip(*shape.cells(rows.columns, shape.by, len(rows.indexes)), strict=True))
        first: dict[tuple[Cell, ...], int] = {}
        for at, name in enumerate(named):
            first.setdefault(name, at)
        if len(first) == len(named):
            yield rows
            return
        yield rows.pick(list(first.values()))
        rows = rows.pick([at for at, name in enumerate(named) if first[name] != at])


def _require_found(shape: Shape, rows: Rows, found: dict[int, tuple[int, Key | None, bool]]) -> None:
    if shape.verb.missing_ok or len(found) == len(rows.indexes):
        return
    raise Failure(StatementError(ErrorCode.ENTITY_NOT_FOUND, f"no row of {shape.verb.table} is selected"))


def _select(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    sql = shape.select()
    limit = shape.verb.limit or 100
    for at, by in enumerate(_by_row(shape, rows)):
        index = rows.indexes[at]
        bound = rows.bound is not None and rows.bound[at]
        cursor = connection.execute(sql, [*by, max(limit, 2)])
        names = [column[0] for column in cursor.description]
        found = cursor.fetchall()
        if bound and len(found) != 1:
            raise Failure(_not_one(shape, len(found)))
        if shape.key is not None:
            results.keys[index] = found[0][0] if bound else None
            names, found = names[1:], [row[1:] for row in found]
        results.rows[index] = [dict(zip(names, map(_plain, row), strict=True)) for row in found[:limit]]
        results.status[index], results.effect[index] = Status.SUCCESS, Effect.READ


def _not_one(shape: Shape, count: int) -> StatementError:
    if count:
        message = f"several rows of {shape.verb.table} are selected, and :as needs exactly one"
        return StatementError(ErrorCode.AMBIGUOUS_ENTITY, message)
    return StatementError(ErrorCode.ENTITY_NOT_FOUND, f"no row of {shape.verb.table} is selected, and :as needs one")


def _plain(value: object) -> object:
    """A stored value as JSON can carry it."""
    return value.hex() if isinstance(value, bytes) else value


def _assert(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    sql = shape.count()
    expect = shape.verb.expect
    value = [_bindable(expect.value)] if expect is not None and expect.column is not None else []
    for at, by in enumerate(_by_row(shape, rows)):
        count, held = connection.execute(sql, [*value, *by]).fetchone()
        message = _broken(shape, count, held)
        if message:
            raise Failure(StatementError(ErrorCode.ASSERTION_FAILED, message))
        results.status[rows.indexes[at]], results.effect[rows.indexes[at]] = Status.SUCCESS, Effect.ASSERTED


def _bindable(value: object) -> object:
    return value if value is None or isinstance(value, (str, int)) else str(value)


def _broken(shape: Shape, count: int, held: int) -> str:
    """What an assert found wrong, or nothing."""
    expect, table = shape.verb.expect, shape.verb.table
    if expect is None:
        return ""
    if expect.rows is not None:
        return "" if count == expect.rows else f"{table}: {expect.rows} rows are expected, there are {count}"
    if expect.exists is not None:
        wanted = "a row" if expect.exists else "no row"
        return "" if (count > 0) is expect.exists else f"{table}: {wanted} is expected, there are {count}"
    if count and held == count:
        return ""
    return f"{table}: {expect.column} is expected to be {expect.value}, which holds for {held} of {count} rows"


def _by_row(shape: Shape, rows: Rows) -> Iterable[tuple[Cell, ...]]:
    if not shape.by:
        return [()] * len(rows.indexes)
    return zip(*shape.cells(rows.columns, shape.by, len(rows.indexes)), strict=True)


def _find(connection: sqlite3.Connection, shape: Shape, rows: Rows) -> dict[int, tuple[int, Key | None, bool]]:
    """By place among `rows`: how many rows of the table it selects, the key, whether a given value differs."""
    found: dict[int, tuple[int, Key | None, bool]] = {}
    count = len(rows.indexes)
    cells = [range(count), *shape.cells(rows.columns, [*shape.by, *shape.sets], count)]
    step = shape.chunk(len(cells))
    for start in range(0, count, step):
        stop = min(start + step, count)
        parameters = list(chain.from_iterable(zip(*(column[start:stop] for column in cells), strict=True)))
        for at, matches, key, differs in connection.execute(shape.find(stop - start), parameters):
            found[at] = matches, key, bool(differs)
    return found


def _insert(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    count = len(rows.indexes)
    cells: list[Sequence[Cell]] = []
    if shape.inserts_key:
        cells.append([results.keys[index] for index in rows.indexes])
    columns = shape.insert_columns[len(cells) :]
    cells += shape.cells(rows.columns, columns, count)
    if shape.returns_key:
        sql = shape.insert_returning()
        for at in range(count):
            key = connection.execute(sql, [column[at] for column in cells]).fetchone()[0]
            results.keys[rows.indexes[at]] = key
        return
    step = shape.chunk(len(cells))
    for start in range(0, count, step):
        stop = min(start + step, count)
        parameters = list(chain.from_iterable(zip(*(column[start:stop] for column in cells), strict=True)))
        connection.execute(shape.insert(stop - start), parameters)
    if shape.entity is not None and shape.entity.key.source is KeySource.ARGUMENT and shape.key is not None:
        for index, key in zip(rows.indexes, shape.cells(rows.columns, [shape.key], count)[0], strict=True):
            results.keys[index] = key if isinstance(key, (str, int)) else None


def _succeed(indexes: Iterable[int], results: Results, effect: Effect) -> None:
    for index in indexes:
        results.status[index] = Status.SUCCESS
        results.effect[index] = effect


_RUN = {
    VerbKind.CREATE: _create,
    VerbKind.ENSURE: _ensure,
    VerbKind.LINK: _ensure,
    VerbKind.UPDATE: _update,
    VerbKind.DELETE: _delete,
    VerbKind.UNLINK: _delete,
    VerbKind.SELECT: _select,
    VerbKind.ASSERT: _assert,
}

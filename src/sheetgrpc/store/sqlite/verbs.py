"""What each kind of verb does to rows of its table, many at a time (DESIGN section 5's table of kinds).

All functions write into `Results` and raise `Failure` for the first thing wrong, `Entangled` where only the rows one by
one can tell; the caller takes the batch back then. Rows that name the same row of the table with other values go one
after another, in rounds; equal ones fold.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

import structlog

from sheetgrpc.catalog.model import KeySource, VerbKind
from sheetgrpc.planning.model import Cell, Effect, ErrorCode, Image, Key, Results, StatementError, Status
from sheetgrpc.planning.values import store_default
from sheetgrpc.store.base import Interrupted
from sheetgrpc.store.batches import (
    Entangled,
    Failure,
    Rows,
    bind_found,
    broken,
    by_row,
    in_rounds,
    not_one,
    note_more_rows,
    require_distinct,
    require_held,
    succeed,
)
from sheetgrpc.store.sqlite.statements import Shape

log = structlog.get_logger(__name__)

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


def run_rows(
    connection: sqlite3.Connection,
    shape: Shape,
    rows: Rows,
    results: Results,
    again: Callable[[], Rows] | None = None,
) -> None:
    """Does the statements of one shape. Raises Failure; then some of them may have been done.

    `again` binds them once more: for creates and ensures that need each other (`reach`). Raises Entangled where they
    have to be done one after the other.
    """
    if not rows.indexes:
        return
    with failures(connection, shape.verb.table, shape.verb.name):
        if again is not None:
            _make(connection, shape, rows, again, results)
        else:
            _RUN[shape.verb.kind](connection, shape, rows, results)


def run_single(connection: sqlite3.Connection, shape: Shape, index: int, cells: list[Cell], results: Results) -> None:
    """Does one create, ensure or link; `cells` are the given ones. Raises Failure; then nothing was done."""
    one = shape.one
    cells += one.defaults
    effect = Effect.CREATED
    try:
        found = connection.execute(one.find, one.found_by(cells)).fetchone() if one.finds else None
        if found is not None:
            results.keys[index], differs = found
            effect = Effect.UPDATED if differs else Effect.UNCHANGED
            if differs:
                if results.images is not None:
                    given = [[cell] for cell in cells[: len(shape.given)]]
                    _note_images(connection, shape, Rows(indexes=[index], columns=given, bound=None), results)
                _require_all(shape, connection.execute(shape.update, one.found_by(cells)), 1)
        else:
            _insert_single(connection, shape, index, cells, results)
    except BaseException as error:  # as `failures` has it, whose two calls this path spares itself
        _raise_failure(connection, shape.verb.table, shape.verb.name, error)
        raise
    results.status[index], results.effect[index] = Status.SUCCESS, effect


def _insert_single(
    connection: sqlite3.Connection, shape: Shape, index: int, cells: list[Cell], results: Results
) -> None:
    one = shape.one
    values = one.inserted(cells)
    if shape.inserts_key:
        values = results.keys[index], *values
    cursor = connection.execute(one.insert, values)
    if shape.returns_key:
        made = cursor.fetchall()  # to its end: constraints are checked after the row has come back
        _require_inserted(shape, len(made), 1)
        results.keys[index] = made[0][0]
        return
    _require_inserted(shape, cursor.rowcount, 1)
    if one.key_place is not None:
        key = cells[one.key_place]
        results.keys[index] = key if isinstance(key, (str, int)) else None


class failures:  # noqa: N801  # used as a function; contextlib's generators cost more than the statement between
    """Turns what the database says of a statement into a Failure."""

    __slots__ = ("_connection", "_table", "_verb")

    def __init__(self, connection: sqlite3.Connection, table: str, verb: str) -> None:
        self._connection = connection
        self._table = table
        self._verb = verb

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            _raise_failure(self._connection, self._table, self._verb, error)


def _raise_failure(connection: sqlite3.Connection, table: str, verb: str, error: BaseException) -> None:
    """Raises Failure for what is a statement's fault; anything else goes on as it is."""
    if isinstance(error, sqlite3.IntegrityError):
        if not connection.in_transaction:  # a trigger rolled the whole transaction back: no statement's failure
            raise Interrupted("the database ended the transaction") from error
        kind, message = _CONSTRAINTS.get(
            error.sqlite_errorcode, ("constraint", "a constraint of the table does not hold")
        )
        raise Failure(StatementError(ErrorCode.DB_CONSTRAINT, f"{table}: {message}", kind)) from error
    if isinstance(error, (sqlite3.DataError, OverflowError, UnicodeEncodeError)):
        message = f"{table}: a value cannot be stored, it is too large or no valid text"
        raise Failure(StatementError(ErrorCode.INVALID_ARGUMENT, message)) from error
    if isinstance(error, sqlite3.OperationalError) and _is_own_sql(error):
        log.warning("statement.refused", verb=verb, error=str(error))
        message = f"{table}: the database cannot do this with these values"
        raise Failure(StatementError(ErrorCode.INTERNAL, message)) from error


def _is_own_sql(error: sqlite3.OperationalError) -> bool:
    """True where the user's own SQL (a trigger, a check, a generated column) broke; the rest is the machine's fault."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) == sqlite3.SQLITE_ERROR


def _create(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    _insert(connection, shape, rows, results)
    succeed(rows.indexes, results, Effect.CREATED)


def _make(
    connection: sqlite3.Connection, shape: Shape, rows: Rows, again: Callable[[], Rows], results: Results
) -> None:
    """Creates or ensures that need each other."""
    found: Mapping[int, tuple[Key | None, int]] = {}
    if shape.verb.kind is VerbKind.ENSURE:
        require_distinct(shape, rows)
        found = _find(connection, shape, rows)
    if not found:
        _create(connection, shape, rows, results)
        return
    rows = bind_found(shape, rows, found, again, results)
    _ensure(connection, shape, rows, results)
    require_held(rows, _find(connection, shape, rows))


def _ensure(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    """Look up by natural key; insert what is missing, update what differs (also link)."""
    for part in in_rounds(shape, rows, results):
        found = _find(connection, shape, part)
        missing = [at for at in range(len(part.indexes)) if at not in found]
        if len(missing) == len(part.indexes):
            _create(connection, shape, part, results)
            continue
        if shape.key is not None:
            for at, (key, _) in found.items():
                results.keys[part.indexes[at]] = key
        succeed(part.indexes, results, Effect.UNCHANGED)
        changed = sorted(at for at, (_, differs) in found.items() if differs)
        if changed:
            _update_rows(connection, shape, part.pick(changed), results)
        if missing:
            _create(connection, shape, part.pick(missing), results)


def _update(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    for part in in_rounds(shape, rows, results):
        found = _find(connection, shape, part)
        _require_found(shape, part, found)
        succeed(part.indexes, results, Effect.UNCHANGED)
        changed = sorted(at for at, (_, differs) in found.items() if differs)
        note_more_rows(part, found, results)
        if changed:
            _update_rows(connection, shape, part.pick(changed), results)


def _update_rows(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    count = len(rows.indexes)
    _note_images(connection, shape, rows, results)
    cells = [*shape.cells(rows.columns, shape.sets, count), *shape.by_cells(rows.columns, count)]
    done = connection.executemany(shape.update, list(zip(*cells, strict=True)))
    _require_all(shape, done, count)
    succeed(rows.indexes, results, Effect.UPDATED)


def _delete(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    for part in in_rounds(shape, rows, results):
        found = _find(connection, shape, part)
        _require_found(shape, part, found)
        succeed(part.indexes, results, Effect.UNCHANGED)
        there = part.pick(sorted(found))
        note_more_rows(part, found, results)
        _note_images(connection, shape, there, results)
        cells = shape.by_cells(there.columns, len(there.indexes))
        done = connection.executemany(shape.delete, list(zip(*cells, strict=True)))
        _require_all(shape, done, len(there.indexes))
        succeed(there.indexes, results, Effect.DELETED)


def _require_all(shape: Shape, done: sqlite3.Cursor, count: int) -> None:
    """Every statement wrote a row: a trigger of the user's may skip some, and a cascade may have been there first."""
    if done.rowcount >= count:
        return
    if count > 1:
        raise Entangled
    message = f"{shape.verb.table}: the table's own rules skipped the row"
    raise Failure(StatementError(ErrorCode.DB_CONSTRAINT, message, "trigger"))


def _require_found(shape: Shape, rows: Rows, found: dict[int, tuple[Key | None, int]]) -> None:
    if shape.verb.missing_ok or len(found) == len(rows.indexes):
        return
    raise Failure(StatementError(ErrorCode.ENTITY_NOT_FOUND, f"no row of {shape.verb.table} is selected"))


def _select(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    sql = shape.select
    limit = shape.verb.limit or 100
    for at, by in enumerate(by_row(shape, rows)):
        index = rows.indexes[at]
        bound = rows.bound is not None and rows.bound[at]
        cursor = connection.execute(sql, [*by, max(limit, 2)])
        names = [column[0] for column in cursor.description]
        found = cursor.fetchall()
        if bound and len(found) != 1:
            raise Failure(not_one(shape, len(found)))
        if shape.key is not None:
            results.keys[index] = found[0][0] if bound else None
            names, found = names[1:], [row[1:] for row in found]
        results.rows[index] = [dict(zip(names, map(plain, row), strict=True)) for row in found[:limit]]
        results.status[index], results.effect[index] = Status.SUCCESS, Effect.READ


def plain(value: object) -> object:
    """A stored value as JSON can carry it."""
    return value.hex() if isinstance(value, bytes) else value


def _assert(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    sql = shape.count
    expect = shape.verb.expect
    value = [store_default(expect.value)] if expect is not None and expect.column is not None else []
    for at, by in enumerate(by_row(shape, rows)):
        count, held = connection.execute(sql, [*value, *by]).fetchone()
        message = broken(shape, count, held)
        if message:
            raise Failure(StatementError(ErrorCode.ASSERTION_FAILED, message))
        results.status[rows.indexes[at]], results.effect[rows.indexes[at]] = Status.SUCCESS, Effect.ASSERTED


def _find(connection: sqlite3.Connection, shape: Shape, rows: Rows) -> dict[int, tuple[Key | None, int]]:
    """By place among `rows`: which row of the table it selects (its key, if it has one), how many it would change.

    Raises Entangled where two select the same: a collation or a column's type may hold equal what we do not.
    """
    found: dict[int, tuple[Key | None, int]] = {}
    for size, parameters in _chunks(shape, rows):
        for at, which, changes in connection.execute(shape.find(size), parameters):
            found[at] = which, changes
    if len({which for which, _ in found.values()}) < len(found) and shape.by:
        raise Entangled
    return found


def _note_images(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    """Reads the rows as they are before the write, where somebody wants to know."""
    if results.images is None:
        return
    for index in rows.indexes:
        results.images[index] = []
    for size, parameters in _chunks(shape, rows):
        for at, key, display, *values in connection.execute(shape.before(size), parameters):
            before = dict(zip(shape.image, map(plain, values), strict=True))
            shown = "" if display is None else str(plain(display))
            results.images[rows.indexes[at]].append(Image(key, shown, before))


def _chunks(shape: Shape, rows: Rows) -> Iterator[tuple[int, list[Cell | int]]]:
    """What finds rows, in pieces: how many, and their (number, by..., set...) one after another."""
    count = len(rows.indexes)
    cells = [range(count), *shape.by_cells(rows.columns, count), *shape.cells(rows.columns, shape.sets, count)]
    step = shape.chunk(len(cells))
    for start in range(0, count, step):
        stop = min(start + step, count)
        yield stop - start, list(chain.from_iterable(zip(*(column[start:stop] for column in cells), strict=True)))


def _insert(connection: sqlite3.Connection, shape: Shape, rows: Rows, results: Results) -> None:
    count = len(rows.indexes)
    cells: list[Sequence[Cell]] = []
    if shape.inserts_key:
        cells.append([results.keys[index] for index in rows.indexes])
    columns = shape.insert_columns[len(cells) :]
    cells += shape.cells(rows.columns, columns, count)
    if shape.returns_key:
        sql = shape.insert_returning
        for at in range(count):
            # To its end: constraints are checked after the row has come back.
            made = connection.execute(sql, [column[at] for column in cells]).fetchall()
            _require_inserted(shape, len(made), 1)
            results.keys[rows.indexes[at]] = made[0][0]
        return
    step = shape.chunk(len(cells))
    for start in range(0, count, step):
        stop = min(start + step, count)
        parameters = list(chain.from_iterable(zip(*(column[start:stop] for column in cells), strict=True)))
        done = connection.execute(shape.insert(stop - start), parameters)
        _require_inserted(shape, done.rowcount, stop - start)
    if shape.entity is not None and shape.entity.key.source is KeySource.ARGUMENT and shape.key is not None:
        for index, key in zip(rows.indexes, shape.cells(rows.columns, [shape.key], count)[0], strict=True):
            results.keys[index] = key if isinstance(key, (str, int)) else None


def _require_inserted(shape: Shape, done: int, count: int) -> None:
    if done != count:
        message = f"{shape.verb.table}: the table's own rules skipped a row"
        raise Failure(StatementError(ErrorCode.DB_CONSTRAINT, message, "trigger"))


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

"""What each kind of verb does to rows of its table, many at a time (DESIGN section 5's table of kinds).

All functions write into `Results` and raise `Failure` for the first thing wrong, `Entangled` where only fewer rows at a
time can tell; the caller takes the rows back then. Rows that name the same row of the table with other values go one
after another, in rounds; equal ones fold.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import structlog

from sheetgrpc.catalog.model import KeySource, VerbKind
from sheetgrpc.planning.model import Cell, Effect, ErrorCode, Image, Key, Results, StatementError, Status
from sheetgrpc.planning.values import store_default
from sheetgrpc.store.batches import (
    Entangled,
    Failure,
    Rows,
    bind_found,
    broken,
    in_rounds,
    not_one,
    note_more_rows,
    require_distinct,
    require_held,
    succeed,
)
from sheetgrpc.store.postgres.queue import row_count
from sheetgrpc.store.postgres.refusals import DATABASE_ERRORS, refusal_of, sqlstate
from sheetgrpc.store.postgres.statements import Shape

if TYPE_CHECKING:
    from sheetgrpc.store.postgres.connection import Connection

log = structlog.get_logger(__name__)

_FOREIGN_KEY = "foreign key", "a row that it refers to is missing, or rows still refer to it"
_CONSTRAINTS = {
    "23505": ("unique", "another row has the same unique values"),
    "23503": _FOREIGN_KEY,
    "23001": _FOREIGN_KEY,
    "23502": ("not null", "a column that needs a value has none"),
    "23514": ("check", "a value breaks a check of the table"),
    "44000": ("check", "a value breaks a check of the view"),
    "23P01": ("exclusion", "another row excludes this one"),
    "P0001": ("trigger", "the table's own rules refused the row"),
}
_TOO_LARGE = "54"
_NOT_ALLOWED = "42501"


def _exact(text: str) -> float | str:
    """A number of JSON; as text where a double would change it."""
    number = float(text)
    return number if Decimal(repr(number)) == Decimal(text) else text


_row = msgspec.json.Decoder(dict[str, object], float_hook=_exact)


async def run_rows(
    connection: "Connection",
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
    try:
        if again is not None:
            await _make(connection, shape, rows, again, results)
        else:
            await _RUN[shape.verb.kind](connection, shape, rows, results)
    except DATABASE_ERRORS as error:
        failure = failure_of(shape.verb.table, shape.verb.name, error)
        if failure is None:
            raise
        raise failure from error


def failure_of(table: str, verb: str, error: BaseException) -> Failure | None:
    """What is a statement's fault; None for anything else."""
    code = sqlstate(error)
    known = _CONSTRAINTS.get(code)
    if known is None and code.startswith("23"):
        known = "constraint", "a constraint of the table does not hold"
    if known is not None:
        kind, message = known
        name = getattr(error, "constraint_name", None) or getattr(error, "column_name", None)
        return Failure(
            StatementError(ErrorCode.DB_CONSTRAINT, f"{table}: {message}", f"{kind}: {name}" if name else kind)
        )
    if code.startswith(("22", _TOO_LARGE)):
        message = (
            f"{table}: a value cannot be stored: its column is of another type, or it is too large or no valid text"
        )
        return Failure(StatementError(ErrorCode.INVALID_ARGUMENT, message))
    if code == _NOT_ALLOWED:
        return Failure(StatementError(ErrorCode.PERMISSION_DENIED, f"{table}: the server's user may not do this there"))
    if not code or refusal_of(error) is not None:
        return None
    log.warning("statement.refused", verb=verb, sqlstate=code, error=str(error))
    return Failure(StatementError(ErrorCode.INTERNAL, f"{table}: the database cannot do this with these values"))


async def _create(connection: "Connection", shape: Shape, rows: Rows, results: Results) -> None:
    _require_all(shape, await _insert(connection, shape, rows, results, shape.insert), len(rows.indexes))
    succeed(rows.indexes, results, Effect.CREATED)


async def _make(
    connection: "Connection", shape: Shape, rows: Rows, again: Callable[[], Rows], results: Results
) -> None:
    """Creates or ensures that need each other."""
    found: Mapping[int, tuple[Key | None, int]] = {}
    if shape.verb.kind is VerbKind.ENSURE:
        require_distinct(shape, rows)
        found = await _find(connection, shape, rows)
    if not found:
        await _create(connection, shape, rows, results)
        return
    rows = bind_found(shape, rows, found, again, results)
    await _ensure(connection, shape, rows, results)
    require_held(rows, await _find(connection, shape, rows))


async def _ensure(connection: "Connection", shape: Shape, rows: Rows, results: Results) -> None:
    """Look up by natural key; insert what is missing, update what differs (also link)."""
    for part in in_rounds(shape, rows, results):
        found = await _find(connection, shape, part)
        if not found and len(part.indexes) == 1:
            if await _insert(connection, shape, part, results, shape.insert_if_new):
                succeed(part.indexes, results, Effect.CREATED)
                continue
            # Somebody else's row came meanwhile, or another unique value is in the way. Of several rows, halves are
            # tried again.
            found = await _find(connection, shape, part)
        missing = [at for at in range(len(part.indexes)) if at not in found]
        if len(missing) == len(part.indexes):
            await _create(connection, shape, part, results)
            continue
        if shape.key is not None:
            for at, (key, _) in found.items():
                results.keys[part.indexes[at]] = key
        succeed(part.indexes, results, Effect.UNCHANGED)
        changed = sorted(at for at, (_, differs) in found.items() if differs)
        if changed:
            await _update_rows(connection, shape, part.pick(changed), results)
        if missing:
            await _create(connection, shape, part.pick(missing), results)


async def _update(connection: "Connection", shape: Shape, rows: Rows, results: Results) -> None:
    for part in in_rounds(shape, rows, results):
        found = await _find(connection, shape, part)
        _require_found(shape, part, found)
        succeed(part.indexes, results, Effect.UNCHANGED)
        changed = sorted(at for at, (_, differs) in found.items() if differs)
        note_more_rows(part, found, results)
        if changed:
            await _update_rows(connection, shape, part.pick(changed), results)


async def _update_rows(connection: "Connection", shape: Shape, rows: Rows, results: Results) -> None:
    count = len(rows.indexes)
    by, sets = shape.by_cells(rows.columns, count), shape.cells(rows.columns, shape.sets, count)
    await _note_images(connection, shape, rows, results)
    done = await connection.execute(shape.update, *_arrays(shape, (shape.by, by), (shape.sets, sets), count=count))
    _require_all(shape, row_count(done), count)
    succeed(rows.indexes, results, Effect.UPDATED)


async def _delete(connection: "Connection", shape: Shape, rows: Rows, results: Results) -> None:
    for part in in_rounds(shape, rows, results):
        found = await _find(connection, shape, part)
        _require_found(shape, part, found)
        succeed(part.indexes, results, Effect.UNCHANGED)
        there = part.pick(sorted(found))
        count = len(there.indexes)
        if not count:
            continue
        note_more_rows(part, found, results)
        await _note_images(connection, shape, there, results)
        by = shape.by_cells(there.columns, count)
        done = await connection.execute(shape.delete, *_arrays(shape, (shape.by, by), count=count))
        _require_all(shape, row_count(done), count)
        succeed(there.indexes, results, Effect.DELETED)


def _require_all(shape: Shape, done: int, count: int) -> None:
    """Every statement wrote a row: a trigger of the user's may skip some, and a cascade may have been there first."""
    if done >= count:
        return
    if count > 1:
        raise Entangled
    raise Failure(_skipped(shape))


def _skipped(shape: Shape) -> StatementError:
    return StatementError(
        ErrorCode.DB_CONSTRAINT, f"{shape.verb.table}: the table's own rules skipped the row", "trigger"
    )


def _require_found(shape: Shape, rows: Rows, found: Mapping[int, object]) -> None:
    if shape.verb.missing_ok or len(found) == len(rows.indexes):
        return
    raise Failure(StatementError(ErrorCode.ENTITY_NOT_FOUND, f"no row of {shape.verb.table} is selected"))


async def _select(connection: "Connection", shape: Shape, rows: Rows, results: Results) -> None:
    count, limit = len(rows.indexes), shape.verb.limit or 100
    by = shape.by_cells(rows.columns, count)
    read = await connection.fetch(shape.select, *_arrays(shape, (shape.by, by), count=count), max(limit, 2))
    found: list[list[tuple[Key | None, str]]] = [[] for _ in rows.indexes]
    for number, key, text in read:
        found[number - 1].append((key, text))
    for at, (index, mine) in enumerate(zip(rows.indexes, found, strict=True)):
        bound = rows.bound is not None and rows.bound[at]
        if bound and len(mine) != 1:
            raise Failure(not_one(shape, len(mine)))
        if shape.key is not None:
            results.keys[index] = mine[0][0] if bound else None
        results.rows[index] = [_columns(text) for _, text in mine[:limit]]
        results.status[index], results.effect[index] = Status.SUCCESS, Effect.READ


def _columns(text: str) -> dict[str, object]:
    row = read_row(text)
    del row["__key"]
    return row


def read_row(text: str) -> dict[str, object]:
    """A row that the database tells as JSON; numbers that a double would change as text."""
    return _row.decode(text)


async def _assert(connection: "Connection", shape: Shape, rows: Rows, results: Results) -> None:
    count, expect = len(rows.indexes), shape.verb.expect
    value: list[str | None] = []
    if expect is not None and expect.column is not None:
        value = _texts([store_default(expect.value)], shape, expect.column)
    by = shape.by_cells(rows.columns, count)
    for number, total, held in await connection.fetch(
        shape.count, *_arrays(shape, (shape.by, by), count=count), *value
    ):
        message = broken(shape, total, held)
        if message:
            raise Failure(StatementError(ErrorCode.ASSERTION_FAILED, message))
        index = rows.indexes[number - 1]
        results.status[index], results.effect[index] = Status.SUCCESS, Effect.ASSERTED


async def _note_images(connection: "Connection", shape: Shape, rows: Rows, results: Results) -> None:
    """Reads the rows as they are before the write, where somebody wants to know."""
    if results.images is None:
        return
    for index in rows.indexes:
        results.images[index] = []
    count = len(rows.indexes)
    by, sets = shape.by_cells(rows.columns, count), shape.cells(rows.columns, shape.sets, count)
    arrays = _arrays(shape, (shape.by, by), (shape.sets, sets), count=count)
    for number, key, display, text in await connection.fetch(shape.before, *arrays):
        results.images[rows.indexes[number - 1]].append(Image(key, display or "", _row.decode(text)))


async def _find(connection: "Connection", shape: Shape, rows: Rows) -> dict[int, tuple[Key | None, int]]:
    """By place among `rows`: which row of the table it selects (its key, if it has one), how many it would change.

    Raises Entangled where two select the same row, which a collation or a column's type may hold equal; and where one
    would take the unique values that another still has: then it matters who goes first.
    """
    count = len(rows.indexes)
    by, sets = shape.by_cells(rows.columns, count), shape.cells(rows.columns, shape.sets, count)
    arrays = _arrays(shape, (shape.by, by), (shape.sets, sets), count=count)
    found: dict[int, tuple[Key | None, int]] = {}
    old: set[tuple[int, str]] = set()
    new: set[tuple[int, str]] = set()
    for number, which, differs, olds, news in await connection.fetch(shape.find, *arrays):
        found[number - 1] = which, differs
        if differs and count > 1:
            moves = [(at, *pair) for at, pair in enumerate(zip(olds, news, strict=True)) if pair[0] != pair[1]]
            old.update((at, before) for at, before, _ in moves)
            new.update((at, after) for at, _, after in moves)
    if shape.by and len({which for which, _ in found.values()}) < len(found):
        raise Entangled
    if not old.isdisjoint(new):
        raise Entangled
    return found


async def _insert(connection: "Connection", shape: Shape, rows: Rows, results: Results, sql: str) -> int:
    """How many were inserted; the keys are known if all were."""
    count = len(rows.indexes)
    cells: list[Sequence[Cell]] = []
    if shape.inserts_key:
        cells.append([results.keys[index] for index in rows.indexes])
    columns = shape.insert_columns
    cells += shape.cells(rows.columns, columns[len(cells) :], count)
    if not columns:
        return await _insert_defaults(connection, shape, rows, results, sql)
    arrays = _arrays(shape, (columns, cells), count=count)
    if shape.returns_key:
        made = [key for (key,) in await connection.fetch(sql, *arrays)]
        if len(made) == count:
            _note_keys(rows, made, results)
        return len(made)
    done = row_count(await connection.execute(sql, *arrays))
    if shape.entity is not None and shape.entity.key.source is KeySource.ARGUMENT and shape.key is not None:
        given = shape.cells(rows.columns, [shape.key], count)[0]
        _note_keys(rows, [cell if isinstance(cell, (str, int)) else None for cell in given], results)
    return done


def _note_keys(rows: Rows, keys: Sequence[Key | None], results: Results) -> None:
    for index, key in zip(rows.indexes, keys, strict=True):
        results.keys[index] = key


async def _insert_defaults(connection: "Connection", shape: Shape, rows: Rows, results: Results, sql: str) -> int:
    """Rows of which nothing is given at all."""
    done = 0
    for index in rows.indexes:
        made = await connection.fetch(sql)
        done += not shape.returns_key or bool(made)
        if made:
            results.keys[index] = made[0][0]
    return done


def _arrays(
    shape: Shape, *parts: tuple[Sequence[str], Sequence[Sequence[Cell]]], count: int
) -> list[list[str | None] | int]:
    """The parameters for rows of these columns: an array of texts each, or the number of rows if there are none."""
    arrays: list[list[str | None] | int] = [
        _texts(cells, shape, name) for names, columns in parts for name, cells in zip(names, columns, strict=True)
    ]
    return arrays or [count]


def _texts(cells: Sequence[Cell], shape: Shape, column: str) -> list[str | None]:
    """The cells as texts that the column's type reads."""
    number = shape.columns[column].category == "N"
    return [cell if cell is None or isinstance(cell, str) else text_of(cell, number=number) for cell in cells]


def text_of(cell: int | bool, *, number: bool) -> str:
    """A number or truth value as a column of numbers, or another, reads it."""
    if isinstance(cell, bool):
        return str(int(cell)) if number else ("true" if cell else "false")
    return str(cell)


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

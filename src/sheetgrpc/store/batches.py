"""What stores share in writing the batches of a plan: rows bound and cut into rounds, failures, what is noted of each.

Pure but for `Results`, which all of it fills. Knows no SQL and no database.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from sheetgrpc.catalog.model import Catalog, Entity, KeySource, Type, VerbKind
from sheetgrpc.planning.model import Cell, Column, Effect, ErrorCode, Group, Key, Plan, Results, StatementError, Status
from sheetgrpc.planning.values import store_default
from sheetgrpc.store.base import Interrupted
from sheetgrpc.store.shapes import Shape

_CREATING = (VerbKind.CREATE, VerbKind.ENSURE)
PIECE = 4096
"""Rows that are bound at a time: no C call over more than this holds the GIL, and nothing the loop."""
DOOMED = StatementError(ErrorCode.ENTITY_NOT_FOUND, "a row has gone")  # which statements, the row-by-row pass tells


class Failure(Exception):
    """A statement cannot be done. Never leaves the store package."""

    def __init__(self, error: StatementError) -> None:
        super().__init__(error.message)
        self.error = error


class Entangled(Exception):  # reads as what it is
    """Statements of the batch turn out to mean the same row, or undo each other's. Never with a single statement."""


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


class Detail(msgspec.Struct, omit_defaults=True):
    """The part of a result that few statements have, as stored."""

    error: StatementError | None = None
    rows: list[dict[str, object]] | None = None


def details_of(results: Results) -> dict[int, bytes]:
    """The details of the statements that have any, encoded."""
    encode: Callable[[Detail], bytes] = msgspec.json.Encoder().encode
    wanted = results.errors.keys() | results.rows.keys()
    return {index: encode(Detail(results.errors.get(index), results.rows.get(index))) for index in wanted}


def fold(shape: Shape, rows: Rows) -> tuple[list[list[int]], dict[int, int]]:
    """Places of `rows` in rounds, within which natural keys are distinct; and folds: place -> the equal one before it.

    A row folds into the last one before it of the same natural key if they are equal in all; else it takes the round
    after that one's. (Ensure and link; other kinds find by `by`, and never fold.)
    """
    count = len(rows.indexes)
    folds: dict[int, int] = {}
    names = list(zip(*shape.by_cells(rows.columns, count), strict=True))
    if len(set(names)) == count or not names:
        return [list(range(count))], folds
    cells = list(zip(*rows.columns, strict=True))
    folding = shape.verb.kind in (VerbKind.ENSURE, VerbKind.LINK)
    rounds: list[list[int]] = []
    last: dict[tuple[Cell, ...], tuple[int, int]] = {}  # name -> the last row that did not fold, its round
    for at, name in enumerate(names):
        before, number = last.get(name, (at, -1))
        if before != at and folding and cells[before] == cells[at]:
            folds[at] = before
            continue
        last[name] = at, number + 1
        if number + 1 == len(rounds):
            rounds.append([])
        rounds[number + 1].append(at)
    return rounds, folds


def in_rounds(shape: Shape, rows: Rows, results: Results) -> Iterator[Rows]:
    """The rows round by round; those that fold are noted after the last. Raises Interrupted if the run is to stop."""
    rounds, folds = fold(shape, rows)
    if len(rounds) == 1 and not folds:
        yield rows
        return
    for places in rounds:
        if results.stop:
            raise Interrupted("the run was told to stop")
        yield rows.pick(places)
    for at, same in folds.items():
        index = rows.indexes[at]
        results.keys[index] = results.keys[rows.indexes[same]]
        results.status[index], results.effect[index] = Status.SUCCESS, Effect.UNCHANGED


def reach(catalog: Catalog, plan: Plan, results: Results, at: int, last: int) -> int:
    """Up to which batch, of those from `at` to `last`, they may be tried as one though each needs the one before.

    They are neighbours that create or ensure rows of one shape, a piece at most. The key of a new row is known before
    the row is there, and that of another can be looked up: so what refers to a row can be bound before its turn.
    """
    batches, until = plan.batches, at + 1
    number, start = batches[4 * at : 4 * at + 2]
    if until == last or batches[4 * until] != number or results.roots:
        return until
    verb = catalog.verbs[plan.groups[number].verb]
    if verb.kind not in _CREATING or verb.entity is None:
        return until
    if catalog.entities[verb.entity].key.source is not KeySource.SERVER:
        return until
    while until < last and batches[4 * until] == number and batches[4 * until + 2] - start <= PIECE:
        until += 1
    return until


def require_distinct(shape: Shape, rows: Rows) -> None:
    """Raises Entangled where two of the rows would be one."""
    rounds, folds = fold(shape, rows)
    if len(rounds) > 1 or folds:
        raise Entangled


def bind_found(
    shape: Shape, rows: Rows, found: Mapping[int, tuple[Key | None, int]], again: Callable[[], Rows], results: Results
) -> Rows:
    """The rows, bound again by the keys of those that are there. Raises Entangled where others are found by these."""
    count = len(rows.indexes)
    for at, (key, _) in found.items():
        results.keys[rows.indexes[at]] = key
    bound = again()
    if shape.by_cells(bound.columns, count) != shape.by_cells(rows.columns, count):
        raise Entangled
    return bound


def require_held(rows: Rows, found: Mapping[int, tuple[Key | None, int]]) -> None:
    """Raises Entangled where a row does not read as its statement wants it, now that all are done."""
    if len(found) < len(rows.indexes) or any(differs for _, differs in found.values()):
        raise Entangled


def take_back(indexes: Sequence[int], keys: Sequence[Key | None], results: Results) -> None:
    """Forgets what was noted of statements that were taken back; `keys` are those from before."""
    for index, key in zip(indexes, keys, strict=True):
        results.status[index], results.effect[index], results.keys[index] = Status.RESOLVED, Effect.NONE, key
        results.rows.pop(index, None)
        results.more_rows.pop(index, None)
        if results.images is not None:
            results.images.pop(index, None)


def prepare_again(shape: Shape, group: Group, start: int, stop: int, results: Results) -> dict[int, int]:
    """Forgets what was noted of a batch that was taken back; answers which statements fold into which before them.

    One that folds runs all the same, and finds what is there, unless that one failed: then it fails alike.
    """
    rows = bind(group, start, stop, results)
    for index in rows.indexes:
        results.status[index], results.effect[index] = Status.RESOLVED, Effect.NONE
        results.rows.pop(index, None)
        results.more_rows.pop(index, None)
    _, folds = fold(shape, rows)
    return {rows.indexes[at]: rows.indexes[same] for at, same in folds.items()}


def bind(group: Group, start: int, stop: int, results: Results) -> Rows:
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


def bind_cell(column: Column, row: int, results: Results) -> Cell:
    """One cell of `_cells`, without making columns."""
    if column.trees or column.as_text:
        return _cells(column, row, row + 1, results)[0]
    if column.refs is not None:
        ref = column.refs[row]
        if ref >= 0:
            return results.keys[ref]
    return column.values[row]


def note_time(group: Group, start: int, stop: int, results: Results, nanoseconds: int) -> None:
    """A statement's duration is its share of its batch's."""
    share = min(nanoseconds // 1000 // (stop - start), 2**31 - 1)
    if stop - start == 1:
        results.micros[group.indexes[start]] = share
        return
    for index in group.indexes[start:stop]:
        results.micros[index] = share


def wanted_keys(catalog: Catalog, plan: Plan) -> Iterator[tuple[Group, Column, Entity, set[Key]]]:
    """The keys that were known at the parse and must have rows; `by` arguments find rows anyway."""
    for group in plan.groups:
        verb = catalog.verbs[group.verb]
        entities = {argument.name: argument.entity for argument in verb.arguments}
        for column in group.columns:
            entity = entities[column.argument]
            if column.type is not Type.ENTITY or entity is None or column.argument in verb.by:
                continue
            keys = {key for key in column.values if isinstance(key, (str, int))}
            if keys:
                yield group, column, catalog.entities[entity], keys


def doom(group: Group, column: Column, entity: str, gone: set[Key], results: Results) -> None:
    """Notes the statements that hang on keys which have no row any more."""
    for index, key in zip(group.indexes, column.values, strict=True):
        if isinstance(key, (str, int)) and key in gone:
            message = f"argument :{column.argument}: the {entity} {key} is gone since the sheet was parsed"
            results.doomed[index] = StatementError(ErrorCode.ENTITY_NOT_FOUND, message)


def symbols_of(catalog: Catalog, plan: Plan) -> tuple[list[str | None], list[str | None]]:
    """The symbol that each statement binds, and the type of what it stands for."""
    symbols: list[str | None] = [None] * plan.count
    types: list[str | None] = [None] * plan.count
    for group in plan.groups:
        if group.bindings is not None:
            entity = catalog.verbs[group.verb].entity
            for index, name in zip(group.indexes, group.bindings, strict=True):
                if name is not None and not name.startswith("__"):  # what the server named is nobody's symbol
                    symbols[index], types[index] = name, entity
    return symbols, types


def succeed(indexes: Iterable[int], results: Results, effect: Effect) -> None:
    """Notes what these statements did."""
    for index in indexes:
        results.status[index] = Status.SUCCESS
        results.effect[index] = effect


def note_more_rows(rows: Rows, found: Mapping[int, tuple[Key | None, int]], results: Results) -> None:
    """Notes the statements that change more rows than one; `found` tells how many by their place among `rows`."""
    for at, (_, changes) in found.items():
        if changes > 1:
            results.more_rows[rows.indexes[at]] = changes - 1


def not_one(shape: Shape, count: int) -> StatementError:
    """What is wrong with a bound select that finds not one row but `count`."""
    if count:
        message = f"several rows of {shape.verb.table} are selected, and :as needs exactly one"
        return StatementError(ErrorCode.AMBIGUOUS_ENTITY, message)
    return StatementError(ErrorCode.ENTITY_NOT_FOUND, f"no row of {shape.verb.table} is selected, and :as needs one")


def broken(shape: Shape, count: int, held: int) -> str:
    """What an assert found wrong, or nothing."""
    expect, table = shape.verb.expect, shape.verb.table
    if expect is None:
        return ""
    if expect.rows is not None:
        wanted = "1 row is" if expect.rows == 1 else f"{expect.rows} rows are"
        return "" if count == expect.rows else f"{table}: {wanted} expected, there are {count}"
    if expect.exists is not None:
        wanted = "a row" if expect.exists else "no row"
        return "" if (count > 0) is expect.exists else f"{table}: {wanted} is expected, there are {count}"
    if count and held == count:
        return ""
    value = "nil" if expect.value is None else store_default(expect.value)
    return f"{table}: {expect.column} is expected to be {value}, which holds for {held} of {count} rows"


def by_row(shape: Shape, rows: Rows) -> Iterable[tuple[Cell, ...]]:
    """The cells that each row selects by."""
    if not shape.by:
        return [()] * len(rows.indexes)
    return zip(*shape.by_cells(rows.columns, len(rows.indexes)), strict=True)

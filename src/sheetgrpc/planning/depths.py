"""Depths: how many statements must come before each, along the longest path, in one pass over the canonical order.

The edges are DESIGN section 6's. Symbol edges are always looked at; the others only for tables that more than plain
inserts touch, with running depths per table and per row. Two rows are the same here if they have the same symbol, the
same literal or the same resolved key; rows that turn out equal only in the run are not seen.
"""

from collections.abc import Sequence
from itertools import repeat

import msgspec

from sheetgrpc.catalog.model import Catalog, Type, VerbKind
from sheetgrpc.planning.drafts import Draft
from sheetgrpc.planning.model import Column
from sheetgrpc.planning.values import store_default

_INSERTS = frozenset({VerbKind.CREATE, VerbKind.ENSURE, VerbKind.LINK})
_READS = frozenset({VerbKind.SELECT, VerbKind.ASSERT})
_NONE = -1

Row = tuple[object, ...]  # what names a row: (table, key) | (statement,) | (table, columns, *cells)


class _Table(msgspec.Struct):
    """Running depths of one table: the deepest writer, select or assert, of anything, and of a whole-table verb."""

    writer: int = _NONE
    reader: int = _NONE
    any: int = _NONE
    barrier: int = _NONE


class _Touch(msgspec.Struct):
    """What the statements of a draft touch, beside symbols: their table, and their row where one can be named."""

    kind: VerbKind
    table: str
    rows: list[Row] | None  # None: the whole table
    values: list[Row] | None  # inserts: every cell, to see equal ones
    mentions: list[list[Row]]  # keys in entity arguments, a list a column
    inner: dict[int, list[Row]]  # row -> keys inside its lists and json
    makes_key: bool


def compute(
    drafts: Sequence[Draft], catalog: Catalog, needs: Sequence[tuple[int, ...]], order: Sequence[int] | None
) -> list[int]:
    """The depth of every statement; `order` is the canonical one, None for source order."""
    depths = [0] * len(needs)
    touched = _touched_tables(drafts, catalog)
    if not touched:
        for index in range(len(needs)) if order is None else order:
            sources = needs[index]
            if sources:
                depths[index] = 1 + max([depths[source] for source in sources])
        return depths
    placing = _Placing(drafts, catalog, touched, depths)
    for index in range(len(needs)) if order is None else order:
        sources = needs[index]
        depth = 1 + max([depths[source] for source in sources]) if sources else 0
        depths[index] = placing.place(index, depth)
    return depths


def _touched_tables(drafts: Sequence[Draft], catalog: Catalog) -> set[str]:
    """Tables where more than the symbols may order statements."""
    touched = {draft.verb.table for draft in drafts if draft.verb.kind not in _INSERTS}
    rows: dict[str, set[Row]] = {}
    counts: dict[str, int] = {}
    for draft in drafts:
        table = draft.verb.table
        if table in touched or draft.verb.kind not in _INSERTS:
            continue
        named = _name_rows(draft, catalog)
        if named is None:
            continue
        rows.setdefault(table, set()).update(named)
        counts[table] = counts.get(table, 0) + len(named)
    return touched | {table for table, count in counts.items() if count > len(rows[table])}


class _Placing:
    """The running depths, and what each statement adds to them."""

    def __init__(self, drafts: Sequence[Draft], catalog: Catalog, touched: set[str], depths: list[int]) -> None:
        self._depths = depths
        self._tables = {table: _Table() for table in touched}
        self._writers: dict[Row, int] = {}
        self._deleters: dict[Row, int] = {}
        self._mentions: dict[Row, int] = {}
        self._last_insert: dict[Row, tuple[int, Row]] = {}  # row -> (draft, cells) of the last writer, an insert
        self._same: dict[Row, Row] = {}  # another name of a row -> the one in use
        self._where: list[tuple[int, int]] = [(_NONE, 0)] * len(depths)
        deletes = any(draft.verb.kind is VerbKind.DELETE for draft in drafts)
        self._touches: list[_Touch | None] = []
        for number, draft in enumerate(drafts):
            touch = _touch(draft, catalog, touched, deletes=deletes)
            self._touches.append(touch)
            if touch is not None:
                for row, index in enumerate(draft.indexes):
                    self._where[index] = number, row

    def place(self, index: int, depth: int) -> int:
        """The depth of a statement that its symbols alone would put at `depth`; remembers it."""
        number, row = self._where[index]
        touch = self._touches[number] if number >= 0 else None
        if touch is None:
            return depth
        named = [self._canonical(column[row]) for column in touch.mentions if column[row]]
        named += [self._canonical(key) for key in touch.inner.get(row, ())]
        for key in named:
            depth = max(depth, 1 + self._deleters.get(key, _NONE))
        table = self._tables.get(touch.table)
        if table is not None:
            depth = self._place_in_table(index, number, row, touch, table, depth)
        for key in named:
            self._mentions[key] = max(depth, self._mentions.get(key, _NONE))
        return depth

    def _place_in_table(self, index: int, number: int, row: int, touch: _Touch, table: _Table, depth: int) -> int:
        depth = max(depth, 1 + table.barrier)
        reads = touch.kind in _READS
        depth = max(depth, 1 + (table.writer if reads else table.reader))
        if touch.rows is None:
            if touch.kind not in _INSERTS:
                depth = max(depth, 1 + table.any)
                table.barrier = max(table.barrier, depth)
        elif not reads:
            depth = self._place_row(index, number, row, touch, depth)
        if reads:
            table.reader = max(table.reader, depth)
        else:
            table.writer = max(table.writer, depth)
        table.any = max(table.any, depth)
        return depth

    def _place_row(self, index: int, number: int, row: int, touch: _Touch, depth: int) -> int:
        """A statement that writes one row it can name comes after the earlier writers of that row."""
        key = self._canonical((touch.rows or [])[row])
        if touch.kind in _INSERTS:
            cells = (number, touch.values[row] if touch.values is not None else ())
            if touch.makes_key:
                self._same[(index,)] = key
            if touch.kind is not VerbKind.CREATE and self._last_insert.get(key) == cells:
                return depth  # the same again: it folds into the first
            depth = max(depth, 1 + self._writers.get(key, _NONE))
            self._last_insert[key] = cells
        else:
            depth = max(depth, 1 + self._writers.get(key, _NONE))
            self._last_insert.pop(key, None)
            if touch.kind is VerbKind.DELETE:
                depth = max(depth, 1 + self._mentions.get(key, _NONE))
                self._deleters[key] = max(depth, self._deleters.get(key, _NONE))
        self._writers[key] = max(depth, self._writers.get(key, _NONE))
        return depth

    def _canonical(self, row: Row) -> Row:
        return self._same.get(row, row)


def _touch(draft: Draft, catalog: Catalog, touched: set[str], *, deletes: bool) -> _Touch | None:
    verb = draft.verb
    mentions = _mentions(draft, catalog) if deletes else []
    inner = _inner_mentions(draft) if deletes else {}
    if verb.table not in touched and not any(mentions) and not inner:
        return None
    inserts = verb.kind in _INSERTS
    rows = _name_rows(draft, catalog)
    if inserts and rows is None:
        rows = [(index,) for index in draft.indexes]
    return _Touch(
        kind=verb.kind,
        table=verb.table,
        rows=rows,
        values=_rows([_tokens(column) for column in draft.columns], len(draft.indexes)) if inserts else None,
        mentions=mentions,
        inner=inner,
        makes_key=verb.binds and inserts,
    )


def _mentions(draft: Draft, catalog: Catalog) -> list[list[Row]]:
    """Keys that entity arguments hold, as rows of the tables they are keys of; an empty row is none."""
    found: list[list[Row]] = []
    for column, argument in zip(draft.columns, draft.given, strict=True):
        if argument.type is Type.ENTITY and argument.entity is not None:
            table = catalog.entities[argument.entity].table
            found.append([_row_of_key(table, token) if token is not None else () for token in _tokens(column)])
        elif column.refs is not None:
            found.append([(ref,) if ref >= 0 else () for ref in column.refs])
    return found


def _inner_mentions(draft: Draft) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for column in draft.columns:
        for row, pieces in (column.trees or {}).items():
            found.setdefault(row, []).extend((piece,) for piece in pieces if isinstance(piece, int))
    return found


def _name_rows(draft: Draft, catalog: Catalog) -> list[Row] | None:
    """Each statement's row by key, else by natural key; None where the statement names neither.

    Inserts name their row by the natural key; where the key is an argument, by that.
    """
    verb = draft.verb
    by_column = {
        argument.column: column for argument, column in zip(draft.given, draft.columns, strict=True) if argument.column
    }
    if verb.kind not in _INSERTS:
        selecting = {argument.name for argument in verb.arguments if argument.name in verb.by}
        by_column = {column: cells for column, cells in by_column.items() if cells.argument in selecting}
    key = catalog.entities[verb.entity].key.column if verb.entity is not None else None
    if verb.kind not in _INSERTS and key is not None and key in by_column:
        return [_row_of_key(verb.table, token) for token in _tokens(by_column[key])]
    for natural in _natural_keys(verb.table, catalog) if verb.kind not in _INSERTS else [verb.natural_key]:
        named = _by_natural_key(draft, natural, by_column)
        if named is not None:
            return named
    if key is not None and key in by_column:
        return [_row_of_key(verb.table, token) for token in _tokens(by_column[key])]
    return None


def _by_natural_key(draft: Draft, natural: Sequence[str], by_column: dict[str, Column]) -> list[Row] | None:
    if not natural:
        return None
    inserts = draft.verb.kind in _INSERTS
    defaults = {
        argument.column: store_default(argument.default) for argument in draft.verb.arguments if argument.has_default
    }
    count = len(draft.indexes)
    parts: list[Sequence[object]] = [list(repeat(draft.verb.table, count)), list(repeat(tuple(sorted(natural)), count))]
    for column in sorted(natural):
        if column in by_column:
            parts.append(_tokens(by_column[column]))
        elif inserts and column in defaults:
            parts.append(list(repeat(defaults[column], count)))
        else:
            return None
    return _rows(parts, count)


def _natural_keys(table: str, catalog: Catalog) -> list[tuple[str, ...]]:
    """All natural keys that the catalog knows for a table, in the order of their names."""
    found = {entity.natural_key for entity in catalog.entities.values() if entity.table == table}
    found |= {verb.natural_key for verb in catalog.verbs.values() if verb.table == table}
    return sorted(natural for natural in found if natural)


def _row_of_key(table: str, token: object) -> Row:
    return token if isinstance(token, tuple) else (table, token)


def _tokens(column: Column) -> Sequence[object]:
    """Cells to compare by: a symbol is the tuple of its statement's index, which no literal equals."""
    if column.refs is None and not column.trees:
        return column.values
    tokens: list[object] = list(column.values)
    if column.refs is not None:
        tokens = [(ref,) if ref >= 0 else cell for ref, cell in zip(column.refs, tokens, strict=True)]
    for row, pieces in (column.trees or {}).items():
        tokens[row] = tuple(pieces)
    return tokens


def _rows(parts: Sequence[Sequence[object]], count: int) -> list[Row]:
    return list(zip(*parts, strict=True)) if parts else [()] * count

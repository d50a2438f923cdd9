"""Which rows of which tables statements touch, as far as planning can know, column by column.

A row has names: its key (a symbol, or a literal or resolved key) and every natural key that the catalog knows for its
table and the statement gives in full. Two statements write the same row if they share a name; rows that turn out equal
only in the run are not seen.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import repeat

import msgspec

from sheetgrpc.catalog.model import Catalog, Reach, Type, VerbKind
from sheetgrpc.planning.drafts import Draft
from sheetgrpc.planning.model import Column
from sheetgrpc.planning.values import store_default

INSERTS = frozenset({VerbKind.CREATE, VerbKind.ENSURE, VerbKind.LINK})
READS = frozenset({VerbKind.SELECT, VerbKind.ASSERT})

# A name of a row: (table, key) or (table, natural key, *cells), where (statement,) is the key it makes; () is none.
Row = tuple[object, ...]


class Touch(msgspec.Struct):
    """What the statements of a draft touch, beside symbols: their table, and their rows where they can be named."""

    kind: VerbKind
    table: str
    names: Sequence[Sequence[Row]] | None  # all names of each statement's row; None: the whole table
    cells: Sequence[Row]  # inserts: the draft's number and every cell, to see equal ones
    mentions: list[list[Row]]  # keys in arguments, a list a column
    inner: dict[int, list[Row]]  # row -> keys inside its lists and json
    makes_key: bool
    folds: bool
    number: int  # of the draft
    reach: tuple[Reach, ...] = ()  # calls: the tables, instead of `table`

    def mentioned(self, row: int) -> list[Row]:
        """The rows whose keys stand in the arguments of statement `row`."""
        found = [column[row] for column in self.mentions if column[row]]
        return [*found, *self.inner[row]] if row in self.inner else found


def touched_tables(drafts: Sequence[Draft], catalog: Catalog) -> set[str]:
    """Tables where more than the symbols may order statements."""
    touched = {table for draft in drafts if draft.verb.kind not in INSERTS for table in draft.verb.touched}
    seen: dict[str, set[Row]] = {}
    counts: dict[str, int] = {}
    for draft in drafts:
        table = draft.verb.table
        inserts = draft.verb.kind in INSERTS and table not in touched
        for column in (_names(draft, catalog) or ()) if inserts else ():
            named = [name for name in column if name]
            seen.setdefault(table, set()).update(named)
            counts[table] = counts.get(table, 0) + len(named)
    return touched | {table for table, count in counts.items() if count > len(seen[table])}


def touch_rows(drafts: Sequence[Draft], catalog: Catalog, touched: set[str]) -> list[Touch | None]:
    """By draft: what its statements touch; None where nothing but symbols can order them."""
    if not any(draft.verb.kind is VerbKind.DELETE for draft in drafts):
        return [_touch(number, draft, catalog, touched, [], {}) for number, draft in enumerate(drafts)]
    makers = {index: draft.verb.table for draft in drafts if draft.verb.binds for index in draft.indexes}
    return [
        _touch(
            number, draft, catalog, touched, _mentions(draft, catalog, makers), _inner_mentions(draft, catalog, makers)
        )
        for number, draft in enumerate(drafts)
    ]


def _touch(
    number: int,
    draft: Draft,
    catalog: Catalog,
    touched: set[str],
    mentions: list[list[Row]],
    inner: dict[int, list[Row]],
) -> Touch | None:
    verb = draft.verb
    if not mentions and not inner and touched.isdisjoint(verb.touched):
        return None
    inserts = verb.kind in INSERTS
    return Touch(
        kind=verb.kind,
        table=verb.table,
        names=_names_by_row(draft, catalog) if verb.kind is not VerbKind.CALL else None,
        cells=list(zip(repeat(number), *map(_tokens, draft.columns), strict=False)) if inserts else (),
        mentions=mentions,
        inner=inner,
        makes_key=verb.binds and inserts and draft.bindings is not None,
        folds=verb.kind in (VerbKind.ENSURE, VerbKind.LINK),
        number=number,
        reach=verb.reach,
    )


def _names_by_row(draft: Draft, catalog: Catalog) -> Sequence[Sequence[Row]] | None:
    ways = _names(draft, catalog)
    if ways is None:
        return None
    if any(() in way for way in ways):
        return [[name for name in names if name] for names in zip(*ways, strict=True)]
    return list(zip(*ways, strict=True)) if ways else [()] * len(draft.indexes)


def _names(draft: Draft, catalog: Catalog) -> list[list[Row]] | None:
    """The names of each statement's row, a list a way of naming; None for a verb that selects by no such name."""
    verb = draft.verb
    cells = _naming_cells(draft)
    key = catalog.entities[verb.entity].key.column if verb.entity is not None else None
    found = [[_name_by_key(verb.table, token) for token in cells[key]]] if key in cells else []
    for number, natural in enumerate(_natural_keys(verb.table, catalog)):
        if cells.keys() >= set(natural):
            parts = [repeat(verb.table), repeat(number), *(cells[column] for column in natural)]
            rows: list[Row] = list(zip(*parts, strict=False))  # repeat() has no end
            if any(None in cells[column] for column in natural):  # nil equals nothing
                rows = [() if None in row else row for row in rows]
            found.append(rows)
    return found if found or verb.kind in INSERTS else None


def _naming_cells(draft: Draft) -> dict[str, Sequence[object]]:
    """By column, the cells that find or make a statement's row: all of an insert, else those of `by`."""
    verb = draft.verb
    columns = {column.argument: column for column in draft.columns}
    found: dict[str, Sequence[object]] = {}
    for argument in verb.arguments:
        if argument.column is None or (verb.kind not in INSERTS and argument.name not in verb.by):
            continue
        if argument.name in columns:
            found[argument.column] = _tokens(columns[argument.name])
        elif argument.has_default:
            found[argument.column] = [store_default(argument.default)] * len(draft.indexes)
    return found


def _natural_keys(table: str, catalog: Catalog) -> list[tuple[str, ...]]:
    """All natural keys that the catalog knows for a table, in the order of their names."""
    found = {tuple(sorted(entity.natural_key)) for entity in catalog.entities.values() if entity.table == table}
    found |= {tuple(sorted(verb.natural_key)) for verb in catalog.verbs.values() if verb.table == table}
    return sorted(natural for natural in found if natural)


def _mentions(draft: Draft, catalog: Catalog, makers: Mapping[int, str]) -> list[list[Row]]:
    """Keys that arguments hold, as names of rows of the tables they are keys of."""
    found: list[list[Row]] = []
    for column, argument in zip(draft.columns, draft.given, strict=True):
        if argument.type is Type.ENTITY and argument.entity is not None:
            table = catalog.entities[argument.entity].table
            found.append([_name_by_key(table, token) for token in _tokens(column)])
        elif column.refs is not None:
            found.append([(makers[ref], (ref,)) if ref >= 0 else () for ref in column.refs])
    return found


def _inner_mentions(draft: Draft, catalog: Catalog, makers: Mapping[int, str]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for column, argument in zip(draft.columns, draft.given, strict=True):
        for row, pieces in (column.trees or {}).items():
            found.setdefault(row, []).extend((makers[piece], (piece,)) for piece in pieces if isinstance(piece, int))
        if argument.type is Type.LIST and argument.entity is not None:
            table = catalog.entities[argument.entity].table
            for row, keys in enumerate(map(_listed_keys, _texts(column))):
                if keys:
                    found.setdefault(row, []).extend((table, key) for key in keys)
    return found


def _texts(column: Column) -> list[str]:
    """The JSON text of each cell of a column, null where a symbol stands."""
    texts = [value if isinstance(value, str) else "" for value in column.values]
    for row, pieces in (column.trees or {}).items():
        texts[row] = "".join(piece if isinstance(piece, str) else "null" for piece in pieces)
    return texts


def _listed_keys(text: str) -> list[object]:
    found = json.loads(text) if text else []
    return [key for key in found if key is not None] if isinstance(found, list) else []


def _name_by_key(table: str, token: object) -> Row:
    return () if token is None else (table, token)


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

"""The SQL of each verb and argument shape, for SQLite. Identifiers are the catalog's and quoted, values are bound.

Writes over many rows are multi-row `VALUES`: twice as fast as executemany, and the GIL is given up once a chunk instead
of once a row (docs/performance.md). Whether a value differs is asked of the database, with `IS NOT`.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import repeat

from sheetgrpc.catalog.model import Catalog, KeySource, Verb, VerbKind
from sheetgrpc.planning.model import Cell, Group
from sheetgrpc.planning.values import store_default

CHUNK_ROWS = 250  # rows a statement; beyond this nothing gets faster
_MAX_PARAMETERS = 30_000  # SQLite's default limit is 32,766


def quote(identifier: str) -> str:
    """An identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


def _kept(make: Callable[["Shape", int], str]) -> Callable[["Shape", int], str]:
    """Makes the SQL for a number of rows once a shape: chunks come in few sizes."""

    def kept(shape: "Shape", rows: int) -> str:
        key = make.__name__, rows
        sql = shape.sql.get(key)
        if sql is None:
            sql = shape.sql[key] = make(shape, rows)
        return sql

    return kept


class Shape:
    """One verb with one set of given arguments: which cells go where, and the SQL for it."""

    def __init__(self, catalog: Catalog, verb: Verb, given: Sequence[str]) -> None:
        """`given` names the arguments in the catalog's order, as a plan's group has them."""
        self.sql: dict[tuple[str, int], str] = {}
        self.verb = verb
        self.entity = catalog.entities[verb.entity] if verb.entity is not None else None
        arguments = {argument.name: argument for argument in verb.arguments}
        self.given = [arguments[name] for name in given]
        self._by_given, self._by_default = self._columns(given, selecting=True)
        self.position, self.defaults = self._columns(given, selecting=False)
        self.table = quote(verb.table)
        self.key = self.entity.key.column if self.entity is not None else None
        self.inserts_key = self.entity is not None and self.entity.key.source is KeySource.SERVER
        self.returns_key = self.entity is not None and self.entity.key.source is KeySource.DATABASE
        self.by = self._selecting()
        self.sets = self._setting()

    def _columns(self, given: Sequence[str], *, selecting: bool) -> tuple[dict[str, int], dict[str, Cell]]:
        """The columns of arguments that select rows, or that are stored: where their cells are, or their default.

        One argument may select by a column that another sets: that renames a row.
        """
        verb = self.verb
        position = {
            argument.column: at
            for at, argument in enumerate(self.given)
            if argument.column is not None and (argument.name in verb.by) is selecting
        }
        defaults: dict[str, Cell] = {
            argument.column: store_default(argument.default)
            for argument in verb.arguments
            if argument.name not in given and argument.has_default and argument.column is not None
            if (argument.name in verb.by) is selecting
        }
        return position, defaults

    def _setting(self) -> list[str]:
        """The columns a found row gets: what is given; for update a default counts as given (docs/catalog.md)."""
        if self.verb.kind is VerbKind.UPDATE:
            return list(dict.fromkeys([*self.position, *self.defaults]))
        if self.verb.kind in (VerbKind.ENSURE, VerbKind.LINK):
            return [column for column in self.position if column not in self.by]
        return []

    def _selecting(self) -> list[str]:
        """The columns that find rows: the natural key for ensure and link, `by` for the others."""
        if self.verb.kind in (VerbKind.ENSURE, VerbKind.LINK):
            return list(self.verb.natural_key)
        known = {argument.name: argument.column for argument in self.verb.arguments}
        columns = dict.fromkeys(known[name] for name in self.verb.by)
        return [column for column in columns if column in self._by_given or column in self._by_default]

    @cached_property
    def one(self) -> "One":
        """How a single statement of this shape is written."""
        return One(self)

    def cells(self, columns: Sequence[Sequence[Cell]], names: Sequence[str], count: int) -> list[Sequence[Cell]]:
        """The given cells of these stored columns, a default where none is given; one sequence a column."""
        return [
            columns[self.position[name]] if name in self.position else list(repeat(self.defaults[name], count))
            for name in names
        ]

    def by_cells(self, columns: Sequence[Sequence[Cell]], count: int) -> list[Sequence[Cell]]:
        """The cells that rows are found by, one sequence a column of `by`."""
        if self.verb.kind in (VerbKind.ENSURE, VerbKind.LINK):
            return self.cells(columns, self.by, count)
        return [
            columns[self._by_given[name]] if name in self._by_given else list(repeat(self._by_default[name], count))
            for name in self.by
        ]

    def chunk(self, width: int) -> int:
        """How many rows of `width` values one statement may carry."""
        return max(1, min(CHUNK_ROWS, _MAX_PARAMETERS // max(width, 1)))

    @cached_property
    def insert_columns(self) -> list[str]:
        """Every column an insert fills, the server-made key first."""
        key = [self.key] if self.inserts_key and self.key is not None else []
        return [*key, *self.position, *(name for name in self.defaults if name not in self.position)]

    @_kept
    def insert(self, rows: int) -> str:
        """Inserts `rows` rows."""
        columns = self.insert_columns
        if not columns:
            return f"INSERT INTO {self.table} DEFAULT VALUES"
        names = ", ".join(map(quote, columns))
        return f"INSERT INTO {self.table} ({names}) VALUES {_values(rows, len(columns))}"

    @cached_property
    def insert_returning(self) -> str:
        """Inserts one row and answers its key, which the database makes."""
        return f"{self.insert(1)} RETURNING {quote(self.key or '')}"

    @_kept
    def find(self, rows: int) -> str:
        """For `rows` rows of (number, by..., set...): number, which rows it finds, whether a value differs.

        Which rows: the greatest key among them, or where there is none, the greatest of what they are found by. Two
        statements of one shape find the same rows or none in common, so this tells which it is.
        """
        width = 1 + len(self.by) + len(self.sets)
        named = " || x'00' || ".join(f"t.{quote(name)}" for name in self.by) or "NULL"
        which = f"t.{quote(self.key)}" if self.key is not None else named
        matches = " AND ".join(f"t.{quote(name)} = i.column{at + 2}" for at, name in enumerate(self.by))
        offset = 2 + len(self.by)
        differs = " OR ".join(f"t.{quote(name)} IS NOT i.column{offset + at}" for at, name in enumerate(self.sets))
        return (
            f"SELECT i.column1, max({which}), max({differs or '0'})"
            f" FROM (VALUES {_values(rows, width)}) AS i CROSS JOIN {self.table} AS t"
            f" WHERE {matches or '1'} GROUP BY i.column1"
        )

    @cached_property
    def update(self) -> str:
        """Sets the given values; parameters: sets, then by."""
        sets = ", ".join(f"{quote(name)} = ?" for name in self.sets)
        return f"UPDATE {self.table} SET {sets} WHERE {self._where()}"

    @cached_property
    def delete(self) -> str:
        """Deletes the rows; parameters: by."""
        return f"DELETE FROM {self.table} WHERE {self._where()}"

    @cached_property
    def select(self) -> str:
        """Reads rows; parameters: by, limit. In key order, so that a limit cuts the same rows every time."""
        columns = self.verb.columns
        names = ", ".join(map(quote, columns)) if columns else "*"
        if self.key is not None:
            names = f'{quote(self.key)} AS "__key", {names}'
        order = quote(self.key) if self.key is not None else ", ".join(map(quote, columns)) or "rowid"
        return f"SELECT {names} FROM {self.table} WHERE {self._where()} ORDER BY {order} LIMIT ?"

    @cached_property
    def count(self) -> str:
        """Counts rows, and those with the expected value; parameters: value if one is expected, by."""
        expect = self.verb.expect
        held = "0"
        if expect is not None and expect.column is not None:
            held = f"coalesce(sum({quote(expect.column)} IS ?), 0)"
        return f"SELECT count(*), {held} FROM {self.table} WHERE {self._where()}"

    def _where(self) -> str:
        return " AND ".join(f"{quote(name)} = ?" for name in self.by) or "1"


class One:
    """A shape for single statements: a chain is as many batches as statements, so this path has no loop to spare.

    The orders are places in the statement's cells, which are the given ones and then `defaults`.
    """

    def __init__(self, shape: Shape) -> None:
        place = dict(shape.position)
        self.defaults = list(shape.defaults.values())
        for at, name in enumerate(shape.defaults):
            place.setdefault(name, len(shape.given) + at)
        self.finds = shape.verb.kind in (VerbKind.ENSURE, VerbKind.LINK)
        self.inserts = self.finds or shape.verb.kind is VerbKind.CREATE
        self.find_order = [place[name] for name in (*shape.sets, *shape.by)] if self.finds else []
        columns = shape.insert_columns[1:] if shape.inserts_key else shape.insert_columns
        self.insert_order = [place[name] for name in columns] if self.inserts else []
        self.insert = shape.insert_returning if shape.returns_key else shape.insert(1)
        self.key_place = place.get(shape.key or "") if not shape.inserts_key and not shape.returns_key else None
        key = quote(shape.key) if shape.key is not None else "NULL"
        differs = " OR ".join(f"{quote(name)} IS NOT ?" for name in shape.sets) or "0"
        matches = " AND ".join(f"{quote(name)} = ?" for name in shape.by) or "1"
        self.find = f"SELECT {key}, {differs} FROM {shape.table} WHERE {matches} LIMIT 1"


class Compiled:
    """The shapes of one catalog, each made once."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._shapes: dict[tuple[str, tuple[str, ...]], Shape] = {}

    def shape(self, group: Group) -> Shape:
        """The shape of a plan's group."""
        key = group.verb, group.given
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = Shape(self.catalog, self.catalog.verbs[group.verb], group.given)
        return shape


def compile_catalog(catalog: Catalog) -> Compiled:
    """The SQL of a catalog, made as it is needed."""
    return Compiled(catalog)


def _values(rows: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return ", ".join([row] * rows)

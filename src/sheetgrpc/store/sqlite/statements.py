"""The SQL of each verb and argument shape, for SQLite. Identifiers are the catalog's and quoted, values are bound.

Writes over many rows are multi-row `VALUES`: twice as fast as executemany, and the GIL is given up once a chunk instead
of once a row (docs/performance.md). Whether a value differs is asked of the database, with `IS NOT`.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from operator import itemgetter

from sheetgrpc.catalog.model import Catalog, Verb, VerbKind
from sheetgrpc.planning.model import Cell, Group
from sheetgrpc.store import shapes
from sheetgrpc.store.calling.batch import Calling
from sheetgrpc.store.shapes import quote

CHUNK_ROWS = 250  # rows a statement; beyond this nothing gets faster
_MAX_PARAMETERS = 30_000  # SQLite's default limit is 32,766


def _kept(make: Callable[["Shape", int], str]) -> Callable[["Shape", int], str]:
    """Makes the SQL for a number of rows once a shape: chunks come in few sizes."""

    def kept(shape: "Shape", rows: int) -> str:
        key = make.__name__, rows
        sql = shape.sql.get(key)
        if sql is None:
            sql = shape.sql[key] = make(shape, rows)
        return sql

    return kept


class Shape(shapes.Shape):
    """A shape with its SQL."""

    def __init__(self, catalog: Catalog, verb: Verb, given: Sequence[str]) -> None:
        """As `shapes.Shape`."""
        super().__init__(catalog, verb, given)
        self.sql: dict[tuple[str, int], str] = {}
        self.table = quote(verb.table)

    @cached_property
    def one(self) -> "One":
        """How a single statement of this shape is written."""
        return One(self)

    def chunk(self, width: int) -> int:
        """How many rows of `width` values one statement may carry."""
        return max(1, min(CHUNK_ROWS, _MAX_PARAMETERS // max(width, 1)))

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
        """For `rows` rows of (number, by..., set...): number, which rows it finds, how many it would change.

        Which rows: the greatest key among them, or where there is none, the greatest of what they are found by. Two
        statements of one shape find the same rows or none in common, so this tells which it is.
        """
        width = 1 + len(self.by) + len(self.sets)
        named = " || x'00' || ".join(f"t.{quote(name)}" for name in self.by) or "NULL"
        which = f"t.{quote(self.key)}" if self.key is not None else named
        return (
            f"SELECT i.column1, max({which}), sum({self._changes()})"
            f" FROM (VALUES {_values(rows, width)}) AS i CROSS JOIN {self.table} AS t"
            f" WHERE {self._matches()} GROUP BY i.column1"
        )

    @_kept
    def before(self, rows: int) -> str:
        """For `rows` rows as `find` takes them: number, key, display and columns of each row that would be changed."""
        width = 1 + len(self.by) + len(self.sets)
        key = f"t.{quote(self.key)}" if self.key is not None else "NULL"
        display = self.entity.display if self.entity is not None else None
        names = [key, f"t.{quote(display)}" if display else "NULL", *(f"t.{quote(name)}" for name in self.image)]
        return (
            f"SELECT i.column1, {', '.join(names)}"
            f" FROM (VALUES {_values(rows, width)}) AS i CROSS JOIN {self.table} AS t"
            f" WHERE {self._matches()} AND ({self._changes()})"
        )

    def _matches(self) -> str:
        return " AND ".join(f"t.{quote(name)} = i.column{at + 2}" for at, name in enumerate(self.by)) or "1"

    def _changes(self) -> str:
        """1 for a row that would be changed: given values differ, or the row goes."""
        offset = 2 + len(self.by)
        differs = " OR ".join(f"t.{quote(name)} IS NOT i.column{offset + at}" for at, name in enumerate(self.sets))
        return differs or str(int(self.removes))

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


def _picker(places: Sequence[int]) -> Callable[[Sequence[Cell]], Sequence[Cell]]:
    """The cells in these places; slices where there are fewer than two, which itemgetter would not answer as a row."""
    if not places:
        return itemgetter(slice(0))
    return itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))


class One:
    """A shape for single statements: a chain is as many batches as statements, so this path has no loop to spare.

    What is found by and inserted is picked from the statement's cells, which are the given ones and then `defaults`.
    """

    def __init__(self, shape: Shape) -> None:
        place = dict(shape.position)
        self.defaults = list(shape.defaults.values())
        for at, name in enumerate(shape.defaults):
            place.setdefault(name, len(shape.given) + at)
        self.finds = shape.verb.kind in (VerbKind.ENSURE, VerbKind.LINK)
        self.inserts = self.finds or shape.verb.kind is VerbKind.CREATE
        self.found_by = _picker([place[name] for name in (*shape.sets, *shape.by)] if self.finds else [])
        columns = shape.insert_columns[1:] if shape.inserts_key else shape.insert_columns
        self.inserted = _picker([place[name] for name in columns] if self.inserts else [])
        self.insert = shape.insert_returning if shape.returns_key else shape.insert(1)
        self.key_place = place.get(shape.key or "") if not shape.inserts_key and not shape.returns_key else None
        key = quote(shape.key) if shape.key is not None else "NULL"
        differs = " OR ".join(f"{quote(name)} IS NOT ?" for name in shape.sets) or "0"
        matches = " AND ".join(f"{quote(name)} = ?" for name in shape.by) or "1"
        self.find = f"SELECT {key}, {differs} FROM {shape.table} WHERE {matches} LIMIT 1"


class Compiled:
    """The shapes of one catalog, each made once."""

    def __init__(self, catalog: Catalog, calling: Calling) -> None:
        self.catalog = catalog
        self.calling = calling
        self._shapes: dict[tuple[str, tuple[str, ...]], Shape] = {}

    def shape(self, group: Group) -> Shape:
        """The shape of a plan's group."""
        key = group.verb, group.given
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = Shape(self.catalog, self.catalog.verbs[group.verb], group.given)
        return shape


def compile_catalog(catalog: Catalog, calling: Calling) -> Compiled:
    """The SQL of a catalog, made as it is needed."""
    return Compiled(catalog, calling)


def _values(rows: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return ", ".join([row] * rows)

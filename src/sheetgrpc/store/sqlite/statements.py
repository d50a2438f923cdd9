"""The SQL of each verb and argument shape, for SQLite. Identifiers are the catalog's and quoted, values are bound.

Writes over many rows are multi-row `VALUES`: twice as fast as executemany, and the GIL is given up once a chunk instead
of once a row (docs/performance.md). Whether a value differs is asked of the database, with `IS NOT`.
"""

from collections.abc import Sequence
from itertools import repeat

from sheetgrpc.catalog.model import Catalog, KeySource, Verb, VerbKind
from sheetgrpc.planning.model import Cell, Group
from sheetgrpc.planning.values import store_default

CHUNK_ROWS = 250  # rows a statement; beyond this nothing gets faster
_MAX_PARAMETERS = 30_000  # SQLite's default limit is 32,766


def quote(identifier: str) -> str:
    """An identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


class Shape:
    """One verb with one set of given arguments: which cells go where, and the SQL for it."""

    def __init__(self, catalog: Catalog, verb: Verb, given: Sequence[str]) -> None:
        """`given` names the arguments in the catalog's order, as a plan's group has them."""
        self.verb = verb
        self.entity = catalog.entities[verb.entity] if verb.entity is not None else None
        arguments = {argument.name: argument for argument in verb.arguments}
        self.given = [arguments[name] for name in given]
        self.defaults: dict[str, Cell] = {
            argument.column: store_default(argument.default)
            for argument in verb.arguments
            if argument.name not in given and argument.has_default and argument.column is not None
        }
        self.position = {argument.column: at for at, argument in enumerate(self.given) if argument.column is not None}
        self.table = quote(verb.table)
        self.key = self.entity.key.column if self.entity is not None else None
        self.inserts_key = self.entity is not None and self.entity.key.source is KeySource.SERVER
        self.returns_key = self.entity is not None and self.entity.key.source is KeySource.DATABASE
        self._by = self._selecting()
        self.by = list(self._by)
        self.sets = self._setting()

    def _setting(self) -> list[str]:
        """The columns a found row gets: what is given; for update a default counts as given (docs/catalog.md)."""
        if self.verb.kind not in (VerbKind.ENSURE, VerbKind.LINK, VerbKind.UPDATE):
            return []
        defaults = self.defaults if self.verb.kind is VerbKind.UPDATE else ()
        return [column for column in dict.fromkeys([*self.position, *defaults]) if column not in self._by]

    def _selecting(self) -> tuple[str, ...]:
        """The columns that find rows: the natural key for ensure and link, `by` for the others."""
        verb = self.verb
        if verb.kind in (VerbKind.ENSURE, VerbKind.LINK):
            return verb.natural_key
        columns = [
            argument.column for argument in verb.arguments if argument.name in verb.by and argument.column is not None
        ]
        return tuple(column for column in columns if column in self.position or column in self.defaults)

    def cells(self, columns: Sequence[Sequence[Cell]], names: Sequence[str], count: int) -> list[Sequence[Cell]]:
        """The given cells of these table columns, a default where none is given; one sequence a column."""
        return [
            columns[self.position[name]] if name in self.position else list(repeat(self.defaults[name], count))
            for name in names
        ]

    def chunk(self, width: int) -> int:
        """How many rows of `width` values one statement may carry."""
        return max(1, min(CHUNK_ROWS, _MAX_PARAMETERS // max(width, 1)))

    @property
    def insert_columns(self) -> list[str]:
        """Every column an insert fills, the server-made key first."""
        key = [self.key] if self.inserts_key and self.key is not None else []
        return [*key, *self.position, *(name for name in self.defaults if name not in self.position)]

    def insert(self, rows: int) -> str:
        """Inserts `rows` rows."""
        columns = self.insert_columns
        if not columns:
            return f"INSERT INTO {self.table} DEFAULT VALUES"
        names = ", ".join(map(quote, columns))
        return f"INSERT INTO {self.table} ({names}) VALUES {_values(rows, len(columns))}"

    def insert_returning(self) -> str:
        """Inserts one row and answers its key, which the database makes."""
        return f"{self.insert(1)} RETURNING {quote(self.key or '')}"

    def find(self, rows: int) -> str:
        """For `rows` rows of (number, by..., set...): number, matching rows, key, whether a value differs."""
        width = 1 + len(self.by) + len(self.sets)
        key = f"max(t.{quote(self.key)})" if self.key is not None else "NULL"
        matches = " AND ".join(f"t.{quote(name)} = i.column{at + 2}" for at, name in enumerate(self.by))
        offset = 2 + len(self.by)
        differs = " OR ".join(f"t.{quote(name)} IS NOT i.column{offset + at}" for at, name in enumerate(self.sets))
        return (
            f"SELECT i.column1, count(*), {key}, max({differs or '0'})"
            f" FROM (VALUES {_values(rows, width)}) AS i CROSS JOIN {self.table} AS t"
            f" WHERE {matches or '1'} GROUP BY i.column1"
        )

    def update(self) -> str:
        """Sets the given values; parameters: sets, then by."""
        sets = ", ".join(f"{quote(name)} = ?" for name in self.sets)
        return f"UPDATE {self.table} SET {sets} WHERE {self._where()}"

    def delete(self) -> str:
        """Deletes the rows; parameters: by."""
        return f"DELETE FROM {self.table} WHERE {self._where()}"

    def select(self) -> str:
        """Reads rows; parameters: by, limit. In key order, so that a limit cuts the same rows every time."""
        columns = self.verb.columns
        names = ", ".join(map(quote, columns)) if columns else "*"
        if self.key is not None:
            names = f'{quote(self.key)} AS "__key", {names}'
        order = quote(self.key) if self.key is not None else ", ".join(map(quote, columns)) or "rowid"
        return f"SELECT {names} FROM {self.table} WHERE {self._where()} ORDER BY {order} LIMIT ?"

    def count(self) -> str:
        """Counts rows, and those with the expected value; parameters: value if one is expected, by."""
        expect = self.verb.expect
        held = "0"
        if expect is not None and expect.column is not None:
            held = f"coalesce(sum({quote(expect.column)} IS ?), 0)"
        return f"SELECT count(*), {held} FROM {self.table} WHERE {self._where()}"

    def _where(self) -> str:
        return " AND ".join(f"{quote(name)} = ?" for name in self.by) or "1"


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

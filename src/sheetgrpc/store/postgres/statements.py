"""The SQL of each verb and argument shape, for PostgreSQL. Identifiers are the catalog's and quoted, values are bound.

Every statement takes any number of rows: one array of texts a column, unnested, each text cast to the column's type.
Whether a value differs is asked of the database, with IS DISTINCT FROM.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

from sheetgrpc.catalog.database import Table
from sheetgrpc.catalog.model import Catalog, KeyType, Verb, VerbKind
from sheetgrpc.planning.model import Group
from sheetgrpc.store import shapes
from sheetgrpc.store.calling.batch import Calling
from sheetgrpc.store.postgres.tables import LiveColumn, quote_table
from sheetgrpc.store.shapes import quote


class Live:
    """The user's tables as they were when the catalog was prepared."""

    def __init__(self, columns: Mapping[str, Mapping[str, LiveColumn]], tables: Mapping[str, Table]) -> None:
        self.columns = columns
        self.tables = tables


class Shape(shapes.Shape):
    """A shape with its SQL. Rows come as `unnest(...) AS i (c1, c2, ..., n)`, `n` counting from 1."""

    def __init__(self, catalog: Catalog, live: Live, verb: Verb, given: Sequence[str]) -> None:
        """As `shapes.Shape`."""
        super().__init__(catalog, verb, given)
        self.table = quote_table(verb.table)
        self.columns = live.columns[verb.table]
        unique = live.tables[verb.table].unique
        self.moved = [sorted(columns) for columns in unique if not columns.isdisjoint(self.sets)]
        self.moved.sort()

    @cached_property
    def insert(self) -> str:
        """Inserts rows in their order, and answers the keys that the database makes, in that order."""
        return self._insert("")

    @cached_property
    def insert_if_new(self) -> str:
        """The same, without rows whose unique values another row has."""
        return self._insert(" ON CONFLICT DO NOTHING")

    @cached_property
    def find(self) -> str:
        """For rows of (by..., set...): number, which row of the table it finds, how many it would change, moves.

        Which row: its key, or where there is none, what it is found by. Moves: for each unique index that a set column
        is in, what the row has there now, and what it would have.
        """
        which, changes = self._which(), self._changes()
        olds, news = self._moves(1 + len(self.by))
        join = self._join()
        if self.verb.kind in (VerbKind.ENSURE, VerbKind.LINK):  # a unique index sees to it that there is one at most
            return f"SELECT i.n, {which}, ({changes})::integer, {olds}, {news} {join}"
        count = f"count(*) FILTER (WHERE {changes})"
        return f"SELECT i.n, max({which}), {count}, min({olds}), max({news}) {join} GROUP BY i.n"

    @cached_property
    def before(self) -> str:
        """For rows as `find` takes them: number, key, display, columns as JSON of each row that would be changed."""
        key = self._key_of("t") if self.key is not None else "NULL::text"
        display = self.entity.display if self.entity is not None else None
        shown = f"t.{quote(display)}::text" if display else "NULL::text"
        columns = ", ".join(f"t.{quote(name)}" for name in self.image)
        values = f"row_to_json((SELECT s FROM (SELECT {columns}) AS s))::text" if columns else "'{}'"
        return f"SELECT i.n, {key}, {shown}, {values} {self._join()} WHERE {self._changes()}"

    @cached_property
    def update(self) -> str:
        """Sets the given values; rows of by, then sets."""
        offset = 1 + len(self.by)
        sets = ", ".join(
            f"{quote(name)} = {self.columns[name].cast(f'i.c{offset + at}')}" for at, name in enumerate(self.sets)
        )
        return (
            f"UPDATE {self.table} AS t SET {sets} FROM {_rows(len(self.by) + len(self.sets))} WHERE {self._matches()}"
        )

    @cached_property
    def delete(self) -> str:
        """Deletes the rows; rows of by."""
        return f"DELETE FROM {self.table} AS t USING {_rows(len(self.by))} WHERE {self._matches()}"

    @cached_property
    def select(self) -> str:
        """Reads rows; parameters: rows of by, limit. In key order, so that a limit cuts the same rows every time."""
        columns = self.verb.columns
        names = ", ".join(f"t.{quote(name)}" for name in columns) if columns else "t.*"
        key = self._key_of("t") if self.key is not None else "NULL::text"
        order = f"t.{quote(self.key)}" if self.key is not None else ", ".join(f"t.{quote(name)}" for name in columns)
        read = f'SELECT {key} AS "__key", {names} FROM {self.table} AS t'
        within = f"{read} WHERE {self._matches()} ORDER BY {order or 't.ctid'}"
        limit = f"LIMIT ${max(len(self.by), 1) + 1}"
        return (
            f'SELECT i.n, s."__key", row_to_json(s)::text FROM {_rows(len(self.by))}'
            f" CROSS JOIN LATERAL ({within} {limit}) AS s ORDER BY i.n"
        )

    @cached_property
    def count(self) -> str:
        """Counts rows, and those with the expected value; parameters: rows of by, the value if one is expected."""
        expect = self.verb.expect
        held = "0"
        if expect is not None and expect.column is not None:
            value = f"${max(len(self.by), 1) + 1}::text"
            differs = self.columns[expect.column].differs(f"t.{quote(expect.column)}", value)
            held = f"count(*) FILTER (WHERE NOT ({differs}))"
        return (
            f"SELECT i.n, c.total, c.held FROM {_rows(len(self.by))} CROSS JOIN LATERAL (SELECT count(*) AS total,"
            f" {held} AS held FROM {self.table} AS t WHERE {self._matches()}) AS c ORDER BY i.n"
        )

    @property
    def orders_rows(self) -> bool:
        """True where one more parameter, the number of rows, stands for the columns that nothing is selected by."""
        return not self.by

    def _insert(self, otherwise: str) -> str:
        columns = self.insert_columns
        end = f"{otherwise} RETURNING {self._key_of(self.table)}" if self.returns_key else otherwise
        if not columns:
            return f"INSERT INTO {self.table} DEFAULT VALUES{end}"
        names = ", ".join(map(quote, columns))
        values = ", ".join(self.columns[name].cast(f"i.c{at}") for at, name in enumerate(columns, 1))
        return f"INSERT INTO {self.table} ({names}) SELECT {values} FROM {_rows(len(columns))} ORDER BY i.n{end}"

    def _join(self) -> str:
        return f"FROM {_rows(len(self.by) + len(self.sets))} JOIN {self.table} AS t ON {self._matches()}"

    def _changes(self) -> str:
        """True for a row that would be changed: given values differ, or the row goes."""
        offset = 1 + len(self.by)
        differs = [
            self.columns[name].differs(f"t.{quote(name)}", f"i.c{offset + at}") for at, name in enumerate(self.sets)
        ]
        return " OR ".join(differs) or str(self.removes).lower()

    def _which(self) -> str:
        if self.key is not None:
            return self._key_of("t")
        named = ", ".join(f"t.{quote(name)}::text" for name in self.by)
        return f"concat_ws(E'\\x01', {named})" if named else "''"

    def _key_of(self, table: str) -> str:
        column = f"{table}.{quote(self.key or '')}"
        integer = self.entity is not None and self.entity.key.type is KeyType.INTEGER
        return f"{column}::bigint" if integer else f"{column}::text"

    def _moves(self, offset: int) -> tuple[str, str]:
        """The rows of the unique indexes that a set column is in: as they are, and as they would be."""
        place = {name: f"i.c{offset + at}" for at, name in enumerate(self.sets)}
        olds = [self._tuple(index, {}) for index in self.moved]
        news = [self._tuple(index, place) for index in self.moved]
        return f"ARRAY[{', '.join(olds)}]::text[]", f"ARRAY[{', '.join(news)}]::text[]"

    def _tuple(self, index: Sequence[str], place: Mapping[str, str]) -> str:
        values = [
            f"({self.columns[name].cast(place[name], comparing=True)})" if name in place else f"t.{quote(name)}"
            for name in index
        ]
        return f"ROW({', '.join(values)})::text"

    def _matches(self) -> str:
        matches = (f"t.{quote(name)} = {self.columns[name].cast(f'i.c{at}')}" for at, name in enumerate(self.by, 1))
        return " AND ".join(matches) or "true"


class Compiled:
    """The shapes of one catalog, each made once."""

    def __init__(self, catalog: Catalog, live: Live, calling: Calling) -> None:
        self.catalog = catalog
        self.calling = calling
        self.live = live
        self._shapes: dict[tuple[str, tuple[str, ...]], Shape] = {}

    def shape(self, group: Group) -> Shape:
        """The shape of a plan's group."""
        key = group.verb, group.given
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = Shape(self.catalog, self.live, self.catalog.verbs[group.verb], group.given)
        return shape


def _rows(width: int) -> str:
    """Rows of `width` texts; of none: as many as the one parameter says."""
    if not width:
        return "generate_series(1, $1::integer) AS i (n)"
    arrays = ", ".join(f"${at}::text[]" for at in range(1, width + 1))
    names = ", ".join(f"c{at}" for at in range(1, width + 1))
    return f"unnest({arrays}) WITH ORDINALITY AS i ({names}, n)"

"""One verb with one set of given arguments: which cells go where. Knows no SQL but how an identifier is quoted."""

from collections.abc import Sequence
from functools import cached_property
from itertools import repeat

from sheetgrpc.catalog.model import Catalog, KeySource, Verb, VerbKind
from sheetgrpc.planning.effects import image_columns
from sheetgrpc.planning.model import Cell
from sheetgrpc.planning.values import store_default


def quote(identifier: str) -> str:
    """An identifier in double quotes."""
    return '"' + identifier.replace('"', '""') + '"'


class Shape:
    """One verb with one set of given arguments; each store adds its SQL."""

    def __init__(self, catalog: Catalog, verb: Verb, given: Sequence[str]) -> None:
        """`given` names the arguments in the catalog's order, as a plan's group has them."""
        self.verb = verb
        self._catalog = catalog
        self.entity = catalog.entities[verb.entity] if verb.entity is not None else None
        arguments = {argument.name: argument for argument in verb.arguments}
        self.given = [arguments[name] for name in given]
        self._by_given, self._by_default = self._columns(given, selecting=True)
        self.position, self.defaults = self._columns(given, selecting=False)
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

    @cached_property
    def image(self) -> list[str]:
        """The columns that are read of a row before it is changed, where somebody wants to know."""
        return image_columns(self._catalog, self.verb, self.sets)

    @property
    def removes(self) -> bool:
        """True where rows go."""
        return self.verb.kind in (VerbKind.DELETE, VerbKind.UNLINK)

    @cached_property
    def insert_columns(self) -> list[str]:
        """Every column an insert fills, the server-made key first."""
        key = [self.key] if self.inserts_key and self.key is not None else []
        return [*key, *self.position, *(name for name in self.defaults if name not in self.position)]

"""Gathers the statements of a sheet into columns: a flat list of cells a shape, cut into columns at the end.

Cells of numbers and booleans may come as text: a column is converted at once when the sheet is read.
"""

from array import array
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final, cast

from sheetgrpc.dsl.columns import Cell, Group, Kind
from sheetgrpc.dsl.frames import Record

_BOOLEANS: Final[dict[Cell, bool]] = {"true": True, "false": False, True: True, False: False}


class GroupBuilder:
    """One shape while the sheet is read: its cells row by row, the binding last if it binds."""

    __slots__ = ("bound", "cells", "indexes", "kinds", "names", "verb")

    def __init__(self, verb: str, names: tuple[str, ...], kinds: tuple[Kind, ...], *, bound: bool) -> None:
        self.verb = verb
        self.names = names
        self.kinds = kinds
        self.bound = bound
        self.cells: list[Cell] = []
        self.indexes = array("i")

    def build(self) -> Group:
        """The group; the cells gathered are given up."""
        width = len(self.names) + self.bound
        columns = [_convert(kind, self.cells[place::width]) for place, kind in enumerate(self.kinds)]
        bindings = cast("list[str]", self.cells[width - 1 :: width]) if self.bound else None  # add() put names there
        self.cells = []
        return Group(self.verb, self.names, self.kinds, self.indexes, columns, bindings)


class Groups:
    """All shapes of a sheet, in the order in which they first appear."""

    def __init__(self) -> None:
        self._builders: dict[tuple[str, tuple[str, ...], tuple[Kind | None, ...], bool], GroupBuilder] = {}

    def add(self, record: Record, index: int) -> GroupBuilder:
        """Takes a statement; returns the group it went to."""
        bound = record.binding is not None
        key = (record.verb, record.names, record.kinds, bound)
        builder = self._builders.get(key)
        if builder is None:
            kinds = cast("tuple[Kind, ...]", record.kinds)  # nested calls are lifted: every kind is one
            builder = self._builders[key] = GroupBuilder(record.verb, record.names, kinds, bound=bound)
        builder.cells += record.cells
        if bound:
            builder.cells.append(record.binding)
        builder.indexes.append(index)
        return builder

    def build(self) -> list[Group]:
        """The groups of the sheet."""
        return [builder.build() for builder in self._builders.values()]


def _convert(kind: Kind, cells: list[Cell]) -> list[Cell]:
    converter = _CONVERTERS.get(kind)
    return list(converter(cells)) if converter else cells


_CONVERTERS: Final[dict[Kind, Callable[[Iterable[Cell]], Iterable[Cell]]]] = {
    # The pattern of the shape, or the general parser, saw to it that the texts are numbers.
    Kind.INTEGER: lambda cells: map(int, cast("Iterable[int | str]", cells)),
    Kind.DECIMAL: lambda cells: map(Decimal, cast("Iterable[Decimal | str]", cells)),
    Kind.BOOLEAN: lambda cells: map(_BOOLEANS.__getitem__, cells),
    Kind.NIL: lambda cells: [None for _ in cells],
}

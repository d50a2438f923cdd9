"""Drafts: statements of one verb that give the same arguments, gathered from the shapes they were written in."""

from array import array
from collections.abc import Mapping

import msgspec

from sheetgrpc.catalog.model import Argument, Verb
from sheetgrpc.dsl.columns import Group
from sheetgrpc.planning.model import Column, Ints


class Draft(msgspec.Struct):
    """Statements of one verb that give the same arguments; rows are not in order yet."""

    verb: Verb
    given: tuple[Argument, ...]
    indexes: Ints
    columns: list[Column]
    bindings: list[str | None] | None


class Drafts:
    """Gathers drafts, in the order in which their first shape was met."""

    def __init__(self) -> None:
        self._drafts: dict[tuple[str, tuple[str, ...]], Draft] = {}

    def listed(self) -> list[Draft]:
        """All of them."""
        return list(self._drafts.values())

    def add(self, group: Group, verb: Verb, columns: Mapping[str, Column]) -> None:
        """Adds the statements of one shape, bound."""
        given = tuple(argument for argument in verb.arguments if argument.name in columns)
        ordered = [columns[argument.name] for argument in given]
        key = verb.name, tuple(argument.name for argument in given)
        draft = self._drafts.get(key)
        bindings: list[str | None] | None = list(group.bindings) if group.bindings is not None else None
        if draft is None:
            self._drafts[key] = Draft(verb, given, array("i", group.indexes), ordered, bindings)
            return
        rows = len(draft.indexes)
        for into, column in zip(draft.columns, ordered, strict=True):
            _extend(into, column, rows)
        if draft.bindings is not None or bindings is not None:
            before: list[str | None] = draft.bindings if draft.bindings is not None else [None] * rows
            draft.bindings = before + (bindings if bindings is not None else [None] * len(group.indexes))
        draft.indexes.extend(group.indexes)


def _extend(into: Column, column: Column, rows: int) -> None:
    added = len(column.values)
    if into.refs is not None or column.refs is not None:
        into.refs = into.refs if into.refs is not None else array("i", [-1]) * rows
        into.refs.extend(column.refs if column.refs is not None else array("i", [-1]) * added)
    if column.trees:
        into.trees = into.trees or {}
        into.trees.update({rows + row: pieces for row, pieces in column.trees.items()})
    into.values.extend(column.values)
    into.as_text = into.as_text or column.as_text

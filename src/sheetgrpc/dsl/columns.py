"""A parsed sheet as columns: statements of one shape side by side, so that checks and writes work on whole columns.

A shape is a verb with the names and kinds of its arguments, in source order. What a sheet holds per statement is then
one cell a value, no node. Nested calls are lifted (children first, left to right, before their parent) and appear as
symbols; the symbol of lifted statement `n` is `__n`. The parser fills these; nothing changes them afterwards.
"""

from array import array
from enum import IntEnum

import msgspec

from sheetgrpc.dsl.ast import List, Map
from sheetgrpc.dsl.diagnostics import Diagnostic


class Kind(IntEnum):
    """What a column's cells are, and their Python type."""

    STRING = 1  # str
    INTEGER = 2  # int, signed 64 bit
    DECIMAL = 3  # decimal.Decimal
    BOOLEAN = 4  # bool
    NIL = 5  # None
    SYMBOL = 6  # str, the name without "@"
    REFERENCE = 7  # str, the text between "<" and ">"
    WORD = 8  # str
    LIST = 9  # ast.List, nested calls lifted to symbols
    MAP = 10  # ast.Map, likewise


Cell = str | int | bool | None | List | Map | object  # object: Decimal


class Group(msgspec.Struct):
    """All statements of one shape: `columns[a][r]` is argument `names[a]` of statement `indexes[r]`, of `kinds[a]`."""

    verb: str
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    indexes: array  # type: ignore[type-arg]  # array("i"), ascending; array has no parameter at run time in 3.11
    columns: list[list[Cell]]
    bindings: list[str] | None  # the `:as` names, one a statement, or None if this shape binds nothing


class Columns(msgspec.Struct):
    """A whole sheet. Offsets and lengths (code points) are of each statement's own parentheses, by statement index."""

    count: int
    offsets: array  # type: ignore[type-arg]  # array("i")
    lengths: array  # type: ignore[type-arg]  # array("i")
    groups: list[Group]
    lifted: dict[int, int]  # lifted statement -> the statement whose argument it stands in
    diagnostics: list[Diagnostic]  # syntax errors, in source order
    damaged: frozenset[str]  # symbols that statements which did not parse would have bound

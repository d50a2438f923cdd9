"""What the general parser holds while it reads: a frame for each open bracket, and the record of a statement read.

A value is a kind and a cell (see `columns.py`) for as long as it can be, and becomes a node of the tree only inside a
list, a map or a tree that somebody asked for.
"""

from collections.abc import Callable
from typing import Final, cast

import msgspec

from sheetgrpc.dsl.ast import Argument, Call, List, Map, Reference, Symbol, Value, Word
from sheetgrpc.dsl.columns import Cell, Kind

# What a frame expects next. A list expects a value until it is closed.
VERB_FIRST, KEY, VALUE, BINDING = range(4)

CLOSERS: Final = {"(": ")", "[": "]", "{": "}"}
OPENERS: Final = {closer: opener for opener, closer in CLOSERS.items()}

_NODES: Final[dict[Kind, Callable[[str], Symbol | Reference | Word]]] = {
    Kind.SYMBOL: Symbol,
    Kind.REFERENCE: Reference,
    Kind.WORD: Word,
}


class Record(msgspec.Struct, gc=False):
    """One statement that was read. A kind is None for a nested call kept as a node, which is so in trees only."""

    verb: str
    names: tuple[str, ...]
    kinds: tuple[Kind | None, ...]
    cells: tuple[Cell, ...]
    binding: str | None
    bound_at: int  # how many arguments stand before `:as`
    start: int
    end: int
    children: list[int]  # the statements lifted out of this one


class Frame:
    """An open bracket and what was read since."""

    __slots__ = (
        "astray", "binding", "bound_at", "children", "closer", "comma", "expects", "faults", "items", "key", "key_at",
        "kinds", "nestling", "orphans", "owner", "start", "values", "verb",
    )  # fmt: skip

    def __init__(self, opener: str, start: int, faults: int, owner: "Frame | None") -> None:
        """`faults` counts those found before; `owner` is the frame of the call that this list or map belongs to."""
        self.closer = CLOSERS[opener]
        self.start = start
        self.faults = faults
        self.owner = self if owner is None or opener == "(" else owner
        self.expects = VERB_FIRST if opener == "(" else VALUE if opener == "[" else KEY
        self.verb: str | None = None
        self.key = ""
        self.key_at = -1  # where the keyword stands that waits for its value; -1 if nobody is to hear that it lacks one
        self.values: dict[str, Cell] = {}
        self.kinds: list[Kind | None] = []
        self.items: list[Value] = []
        self.comma = False  # a comma may stand here
        self.binding: str | None = None
        self.bound_at = -1
        self.astray = -1  # how many values there were when a missing keyword was last reported
        self.nestling = False  # a call that begins a line: a statement of its own if its parent is never closed
        self.orphans: list[int] = []  # where such calls begin in here
        self.children: list[int] = []

    def add(self, kind: Kind | None, cell: Cell) -> None:
        """Takes the value that was expected."""
        if self.closer == ")":
            self.values[self.key] = cell
            self.kinds.append(kind)
            self.expects = KEY
        elif self.closer == "}":
            self.values[self.key] = to_node(kind, cell)
            self.expects = KEY
            self.comma = True
        else:
            self.items.append(to_node(kind, cell))
            self.comma = True

    def skip(self) -> None:
        """Takes a value that is broken, in the place of one or not."""
        self.comma = True
        if self.closer != "]":
            self.expects = KEY

    def collection(self) -> tuple[Kind, List | Map]:
        """What a list or map comes to."""
        if self.closer == "]":
            return Kind.LIST, List(tuple(self.items))
        entries = tuple(self.values.items())
        return Kind.MAP, Map(cast("tuple[tuple[str, Value], ...]", entries))  # add() put nodes in, never bare cells


def to_node(kind: Kind | None, cell: Cell) -> Value:
    """The node of the tree for a cell."""
    node = _NODES.get(kind) if kind else None
    if node is not None:
        return node(str(cell))
    return cast("Value", cell)  # a cell that needs no node of its own is its own node


def to_call(record: Record) -> Call:
    """The tree of a statement."""
    values = zip(record.names, record.kinds, record.cells, strict=True)
    arguments = tuple([Argument(name, to_node(kind, cell)) for name, kind, cell in values])
    return Call(record.verb, arguments, record.binding)

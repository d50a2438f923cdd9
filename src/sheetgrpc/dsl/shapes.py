"""The fast path: one regular expression for each shape of statement that a sheet repeats.

A shape is a verb with the names and kinds of its arguments and the place of `:as`. Its expression accepts only what the
general parser accepts too, with the same values, and leaves everything odd (escapes, comments, nesting) to it. So that
hostile text cannot make it slow, a shape is compiled only after it has been read often enough to pay for that, there
are at most `_SHAPES` of them, and at most `_TRIES` are tried at one place.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from sheetgrpc.dsl.columns import Kind
from sheetgrpc.dsl.frames import Record
from sheetgrpc.dsl.groups import GroupBuilder
from sheetgrpc.dsl.lexer import DECIMAL, INTEGER, PLAIN, PLAIN_REFERENCE, RESERVED, SPACE, SYMBOL, VERB

_REPEATS = 12  # compiling costs about as much as reading 50 statements
_SHAPES = 64
_SHAPES_OF_VERB = 8
_TRIES = 4
_ARGUMENTS = 32
_CANDIDATES = 1_024

_VERB = re.compile(rf"\(({VERB})(?={SPACE}|\))")
_BOUND: Final = rf"@((?!{RESERVED}){SYMBOL})"
_VALUES: Final = {
    Kind.STRING: rf'"({PLAIN})"',
    Kind.INTEGER: rf"({INTEGER})",
    Kind.DECIMAL: rf"({DECIMAL})",
    Kind.BOOLEAN: r"(true|false)",
    Kind.NIL: r"(nil)",
    Kind.SYMBOL: _BOUND,
    Kind.REFERENCE: rf"<({PLAIN_REFERENCE})>",
    Kind.WORD: r"((?!(?:true|false|nil)(?![A-Za-z0-9_-]))[A-Za-z_][A-Za-z0-9_-]*+)",
}

Row = Callable[[re.Match[str]], tuple[str, ...]]


class Shape:
    """A compiled shape: `match` it where a statement ends or begins, take the `row` of that, `extend` its group."""

    __slots__ = ("extend", "follower", "mark", "match", "row")

    def __init__(self, pattern: re.Pattern[str], row: Row, group: GroupBuilder) -> None:
        self.match = pattern.match
        self.row = row
        self.extend = group.cells.extend
        self.mark = group.indexes.extend
        self.follower = self  # the shape that stood after a run of this one last time


class Shapes:
    """The shapes of one sheet, found as it is read."""

    def __init__(self) -> None:
        self._of_verb: dict[str, list[Shape]] = {}
        self._seen: dict[tuple[object, ...], int] = {}
        self._count = 0

    def find(self, text: str, at: int) -> Shape | None:
        """The shape of the statement at `at`, if it is a known one."""
        verb = _VERB.match(text, at)
        shapes = self._of_verb.get(verb[1]) if verb else None
        if not shapes:
            return None
        for place, shape in enumerate(shapes[:_TRIES]):
            if shape.match(text, at) is not None:
                shapes.insert(0, shapes.pop(place))
                return shape
        return None

    def learn(self, record: Record, group: GroupBuilder) -> None:
        """Counts a statement that the general parser read, and compiles its shape when that pays."""
        if self._count >= _SHAPES:
            return
        key = (record.verb, record.names, record.kinds, record.bound_at)
        seen = self._seen.get(key, 0) + 1
        if seen > 1 or len(self._seen) < _CANDIDATES:
            self._seen[key] = seen
        if seen == _REPEATS and len(record.names) <= _ARGUMENTS and _flat(record):
            self._compile(record, group)

    def _compile(self, record: Record, group: GroupBuilder) -> None:
        shapes = self._of_verb.setdefault(record.verb, [])
        if len(shapes) < _SHAPES_OF_VERB:
            pattern = _pattern(record.verb, record.names, record.kinds, record.bound_at)
            shapes.append(Shape(pattern, _row(len(record.names), record.bound_at), group))
            self._count += 1


def _flat(record: Record) -> bool:
    named = (record.binding is None) == (record.bound_at < 0)  # not by lifting
    return named and not record.children and all(kind in _VALUES for kind in record.kinds)


@lru_cache(maxsize=512)
def _pattern(verb: str, names: tuple[str, ...], kinds: tuple[Kind, ...], bound_at: int) -> re.Pattern[str]:
    parts = [f":{name}{SPACE}++{_VALUES[kind]}" for name, kind in zip(names, kinds, strict=True)]
    if bound_at >= 0:
        parts.insert(bound_at, f":as{SPACE}++{_BOUND}")
    arguments = "".join(f"{SPACE}++{part}" for part in parts)
    return re.compile(rf"\n?+\({re.escape(verb)}{arguments}{SPACE}*+\)")


def _row(width: int, bound_at: int) -> Row:
    """How to take the cells of a match, the binding last wherever it stands."""
    if bound_at in (-1, width):
        return re.Match.groups
    order = [*range(1, bound_at + 1), *range(bound_at + 2, width + 2), bound_at + 1]
    return lambda match: match.group(*order)

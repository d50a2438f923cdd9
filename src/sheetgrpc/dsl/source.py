"""Where things stand in a text: bytes, lines and columns on demand, and the parts of one statement read again.

Parsing keeps an offset and a length a statement, in code points, and no more; whoever shows a place asks here.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from sheetgrpc.dsl.ast import Call
from sheetgrpc.dsl.diagnostics import Extent, Span
from sheetgrpc.dsl.frames import CLOSERS
from sheetgrpc.dsl.lexer import BRACKET, KEYWORD, SYMBOL_TOKEN, Token, read_tokens
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.dsl.tree import parse_tree

_DEFAULT = Limits()
_STRIDE = 4_096  # code points between checkpoints: what a span costs at most


class _Checkpoint(NamedTuple):
    """What is known of the text before `offset`."""

    offset: int
    size: int  # in bytes
    lines: int
    line_start: int  # where the line of `offset` begins


class Source:
    """A text that can tell where its parts are for the wire. The first span reads the text up to there once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._checkpoints = [_Checkpoint(0, 0, 0, 0)]

    def span(self, extent: Extent) -> Span:
        """The place of `extent`, which must lie within the text."""
        line, column = self._position(extent.offset)
        start, end = self._size(extent.offset), self._size(extent.offset + extent.length)
        return Span(start, end - start, line, column)

    def _size(self, offset: int) -> int:
        before = self._checkpoint(offset)
        return before.size + _bytes(self.text, before.offset, offset)

    def _position(self, offset: int) -> tuple[int, int]:
        before = self._checkpoint(offset)
        line = before.lines + self.text.count("\n", before.offset, offset) + 1
        newline = self.text.rfind("\n", before.offset, offset)
        return line, offset - (before.line_start if newline < 0 else newline + 1) + 1

    def _checkpoint(self, offset: int) -> _Checkpoint:
        """The last checkpoint at or before `offset`."""
        points = self._checkpoints
        while points[-1].offset + _STRIDE <= offset:
            points.append(self._next_checkpoint(points[-1]))
        return points[offset // _STRIDE]

    def _next_checkpoint(self, last: _Checkpoint) -> _Checkpoint:
        text, end = self.text, last.offset + _STRIDE
        newline = text.rfind("\n", last.offset, end)
        return _Checkpoint(
            end,
            last.size + _bytes(text, last.offset, end),
            last.lines + text.count("\n", last.offset, end),
            last.line_start if newline < 0 else newline + 1,
        )


def _bytes(text: str, start: int, end: int) -> int:
    """The UTF-8 length of `text[start:end]`; a lone surrogate, which no UTF-8 text has, counts as three."""
    if text.isascii():
        return end - start
    return len(text[start:end].encode("utf-8", "surrogatepass"))


class ArgumentExtents(NamedTuple):
    """Where an argument stands: `:name`, and its value."""

    name: Extent
    value: Extent


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """One statement, read again with the place of each of its parts."""

    verb: Extent
    arguments: dict[str, ArgumentExtents]  # by name as written, without `:as`
    binding: Extent | None  # the `@name` after `:as`
    call: Call
    symbols: list[tuple[str, Extent]]  # every symbol used, in order, at any depth


def locate(text: str, offset: int, length: int, limits: Limits = _DEFAULT) -> Located:
    """Reads the statement at `text[offset:offset + length]` again. ValueError if that is not one that parses."""
    tree = parse_tree(text[offset : offset + length], limits)
    if len(tree.calls) != 1 or tree.diagnostics:
        raise ValueError(f"no statement stands at {offset}")
    tokens = read_tokens(text, offset, offset + length)
    outer, bound = _keywords(tokens)
    arguments = {}
    binding = None
    for at, following in pairwise([*outer, len(tokens) - 1]):
        value = Extent(tokens[at + 1].start, tokens[following - 1].end - tokens[at + 1].start)
        if at + 1 in bound:
            binding = value
        else:
            arguments[tokens[at].text] = ArgumentExtents(_extent(tokens[at]), value)
    uses = [token for at, token in enumerate(tokens) if token.kind == SYMBOL_TOKEN and at not in bound]
    return Located(
        verb=_extent(tokens[1]),
        arguments=arguments,
        binding=binding,
        call=tree.calls[0],
        symbols=[(token.text, _extent(token)) for token in uses],
    )


def _keywords(tokens: list[Token]) -> tuple[list[int], set[int]]:
    """Which tokens are keywords of the statement itself, and which are symbols that it or a call in it binds."""
    outer: list[int] = []
    bound: set[int] = set()
    brackets: list[str] = []
    for at, token in enumerate(tokens):
        if token.kind == BRACKET:
            if token.text in CLOSERS:
                brackets.append(token.text)
            else:
                brackets.pop()
        elif token.kind == KEYWORD:
            if len(brackets) == 1:
                outer.append(at)
            if token.text == "as" and brackets[-1] == "(":
                bound.add(at + 1)
    return outer, bound


def _extent(token: Token) -> Extent:
    return Extent(token.start, token.end - token.start)

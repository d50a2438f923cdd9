"""Parses a sheet into columns. Two ways lead there, and a property test holds that they never differ.

The fast path matches a whole statement with the regular expression of its shape (`shapes.py`); what it cannot match,
and everything that is wrong, is read by the general parser (`reader.py`). Pure; never raises; linear in the text.
"""

from array import array
from operator import sub

from sheetgrpc.dsl.columns import Columns
from sheetgrpc.dsl.diagnostics import Extent
from sheetgrpc.dsl.frames import Record
from sheetgrpc.dsl.groups import Groups
from sheetgrpc.dsl.lexer import SKIP
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.dsl.reader import Reader
from sheetgrpc.dsl.shapes import Shape, Shapes
from sheetgrpc.dsl.tree import content_start, too_many

__all__ = ["Limits", "parse"]

_DEFAULT = Limits()


def parse(text: str, limits: Limits = _DEFAULT, *, shapes: bool = True) -> Columns:
    """Parses any text; never raises. `shapes=False` leaves all to the general parser: same result, for tests."""
    sheet = _Sheet(text, limits)
    position = content_start(text)
    while position < len(text) and len(sheet.offsets) <= limits.statements:
        position = sheet.read_one(position)
        if shapes:
            position = sheet.read_shapes(position)
    return sheet.columns()


class _Sheet:
    """A sheet while it is read."""

    def __init__(self, text: str, limits: Limits) -> None:
        self.offsets = array("i")
        self._ends = array("i")
        self._lifted: dict[int, int] = {}
        self._text = text
        self._limits = limits
        self._reader = Reader(text, limits, lift=True)
        self._groups = Groups()
        self._shapes = Shapes()

    def read_one(self, position: int) -> int:
        """Reads what stands after `position` with the general parser; returns where that ends."""
        end = self._reader.read(position, len(self.offsets))
        for record in self._reader.records:
            if len(self.offsets) > self._limits.statements:
                break
            self._add(record)
        return end

    def _add(self, record: Record) -> None:
        index = len(self.offsets)
        self.offsets.append(record.start)
        self._ends.append(record.end)
        if index == self._limits.statements:  # this one is reported, not kept
            return
        group = self._groups.add(record, index)
        for child in record.children:
            self._lifted[child] = index
        self._shapes.learn(record, group)

    def read_shapes(self, position: int) -> int:
        """Reads statements as long as the shapes known match; returns where the last of them ends.

        Most time is spent here. After each statement the shape is tried first that followed its shape last time: a run
        of one shape is read in the inner loop, if each begins where the one before ends or on the next line.
        """
        if self._reader.faults.full:  # the reader gives up the rest
            return position
        text, offsets, limit = self._text, self.offsets, self._limits.statements
        offset, ended = offsets.append, self._ends.append
        shape = before = self._find(position)
        position = position if shape is None else self._skip(position)
        while shape is not None and before is not None:
            match, row, extend = shape.match, shape.row, shape.extend
            first = len(offsets)
            for _ in range(limit - first if shape.follower is shape else min(1, limit - first)):
                found = match(text, position)
                if found is None:
                    break
                extend(row(found))
                offset(position + 1 if text[position] == "\n" else position)
                position = found.end()
                ended(position)
            if first < len(offsets):
                shape.mark(range(first, len(offsets)))
                shape, before = shape.follower, shape
            elif first >= limit or (shape := self._find(position)) is None:
                break
            else:
                before.follower = shape
                position = self._skip(position)
        return position

    def _find(self, position: int) -> Shape | None:
        return self._shapes.find(self._text, self._skip(position))

    def _skip(self, position: int) -> int:
        skipped = SKIP.match(self._text, position)
        return skipped.end() if skipped else position

    def columns(self) -> Columns:
        """What was read."""
        diagnostics = self._reader.faults.listed()
        limit = self._limits.statements
        if len(self.offsets) > limit:
            start = self.offsets.pop()
            diagnostics.append(too_many(self._limits, Extent(start, self._ends.pop() - start)))
        return Columns(
            count=len(self.offsets),
            offsets=self.offsets,
            lengths=array("i", map(sub, self._ends, self.offsets)),
            groups=self._groups.build(),
            lifted=self._lifted,
            diagnostics=diagnostics,
            damaged=frozenset(self._reader.damaged),
        )

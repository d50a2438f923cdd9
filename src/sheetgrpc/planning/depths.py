"""Depths: how many statements must come before each, along the longest path, in one pass over the canonical order.

The edges are DESIGN section 6's. Symbol edges are always looked at; the others only for tables that more than plain
inserts touch, with running depths per table and per row. What a statement touches is told by `rows.py`.
"""

from collections.abc import Sequence

import msgspec

from sheetgrpc.catalog.model import Catalog, VerbKind
from sheetgrpc.planning.drafts import Draft
from sheetgrpc.planning.rows import INSERTS, READS, Row, Touch, touch_rows, touched_tables

_NONE = -1


class _Table(msgspec.Struct):
    """Running depths of one table: the deepest writer, select or assert, of anything, and of a whole-table verb."""

    writer: int = _NONE
    reader: int = _NONE
    any: int = _NONE
    barrier: int = _NONE
    caller: int = _NONE  # the draft of calls that wrote it last, if nobody touched it since


def compute(
    drafts: Sequence[Draft], catalog: Catalog, needs: Sequence[tuple[int, ...]], order: Sequence[int] | None
) -> list[int]:
    """The depth of every statement; `order` is the canonical one, None for source order."""
    depths = [0] * len(needs)
    touched = touched_tables(drafts, catalog)
    if not touched:
        for index in range(len(needs)) if order is None else order:
            sources = needs[index]
            if sources:
                depths[index] = 1 + max([depths[source] for source in sources])
        return depths
    placing = _Placing(drafts, catalog, touched, len(needs))
    for index in range(len(needs)) if order is None else order:
        sources = needs[index]
        depth = 1 + max([depths[source] for source in sources]) if sources else 0
        depths[index] = placing.place(index, depth)
    return depths


class _Placing:
    """The running depths, and what each statement adds to them."""

    def __init__(self, drafts: Sequence[Draft], catalog: Catalog, touched: set[str], count: int) -> None:
        self._tables = {table: _Table() for table in touched}
        self._writers: dict[Row, int] = {}
        self._deleters: dict[Row, int] = {}
        self._mentions: dict[Row, int] = {}
        self._inserted: dict[Row, Row] = {}  # row -> cells of its last writer, an insert
        self._named: dict[Row, Sequence[Row]] = {}  # a row by its symbol -> the names its maker gave it
        self._where: list[tuple[int, int]] = [(_NONE, 0)] * count
        self._touches: list[Touch | None] = []
        for number, touch in enumerate(touch_rows(drafts, catalog, touched)):
            self._touches.append(touch)
            if touch is not None:
                for row, index in enumerate(drafts[number].indexes):
                    self._where[index] = number, row

    def place(self, index: int, depth: int) -> int:
        """The depth of a statement that its symbols alone would put at `depth`; remembers it."""
        number, row = self._where[index]
        touch = self._touches[number] if number >= 0 else None
        if touch is None:
            return depth
        mentioned: Sequence[Row] = ()
        if touch.mentions or touch.inner:
            mentioned = self._all_names(touch.mentioned(row))
            depth = _after(depth, self._deleters, mentioned)
        table = self._tables.get(touch.table) if touch.kind is not VerbKind.CALL else None
        if touch.reach:
            depth = self._place_call(touch, depth)
        elif table is not None:
            depth = self._place_in_table(index, row, touch, table, depth)
        for name in mentioned:
            self._mentions[name] = max(depth, self._mentions.get(name, _NONE))
        return depth

    def _place_call(self, touch: Touch, depth: int) -> int:
        """A call may do anything with what it reaches: it comes after and before all who do not go with that.

        Calls of one draft run one after the other in the order of the sheet, so they may be of one depth.
        """
        for reach in touch.reach:
            table = self._tables[reach.table]
            if not reach.writes:
                depth = max(depth, 1 + table.writer, 1 + table.barrier)
            else:
                depth = max(depth, table.any if table.caller == touch.number else 1 + table.any)
        for reach in touch.reach:
            table = self._tables[reach.table]
            table.caller = touch.number if reach.writes else _NONE
            if reach.writes:
                table.writer = table.barrier = depth
            else:
                table.reader = max(table.reader, depth)
            table.any = max(table.any, depth)
        return depth

    def _place_in_table(self, index: int, row: int, touch: Touch, table: _Table, depth: int) -> int:
        table.caller = _NONE
        reads = touch.kind in READS
        depth = max(depth, 1 + table.barrier, 1 + (table.writer if reads else table.reader))
        if touch.names is None:
            depth = max(depth, 1 + table.any)
            table.barrier = depth
        elif not reads:
            depth = self._place_row(index, row, touch, depth)
        if reads:
            table.reader = max(table.reader, depth)
        else:
            table.writer = max(table.writer, depth)
        table.any = max(table.any, depth)
        return depth

    def _place_row(self, index: int, row: int, touch: Touch, depth: int) -> int:
        """A statement that writes one row it can name comes after the earlier writers of that row."""
        own = touch.names[row] if touch.names is not None else ()
        if touch.kind not in INSERTS:
            return self._place_change(self._all_names(own), touch.kind, depth)
        if touch.makes_key:
            symbol = touch.table, (index,)
            own = own or (symbol,)
            self._named[symbol] = own
        cells = touch.cells[row]
        inserted, writers = self._inserted, self._writers
        # The same again folds into the first: at its depth, or deeper where a reader stands between them.
        step = 0 if touch.folds and own and all(inserted.get(name) == cells for name in own) else 1
        for name in own:
            depth = max(depth, step + writers.get(name, _NONE))
        for name in own:
            inserted[name], writers[name] = cells, depth
        return depth

    def _place_change(self, names: Sequence[Row], kind: VerbKind, depth: int) -> int:
        depth = _after(depth, self._writers, names)
        if kind is VerbKind.DELETE:
            depth = _after(depth, self._mentions, names)
            self._deleters.update(dict.fromkeys(names, depth))
        for name in names:
            self._inserted.pop(name, None)
            self._writers[name] = depth
        return depth

    def _all_names(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows by every name: that of a symbol is also what its maker gives as key or natural key."""
        if self._named.keys().isdisjoint(rows):
            return rows
        return [name for row in rows for name in self._named.get(row, (row,))]


def _after(depth: int, running: dict[Row, int], names: Sequence[Row]) -> int:
    for name in names:
        depth = max(depth, 1 + running.get(name, _NONE))
    return depth

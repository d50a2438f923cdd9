"""Runs the pure analysis where it does not hold the event loop, and looks up what it wants from the database.

Small sheets are analysed on the loop: that is quicker than a trip. Larger ones go to a worker process, never to a
thread: a CPU-bound thread starves the writer, since sqlite3 gives the GIL up at every row (docs/performance.md). What
ParseSheet found is kept for the submit, bounded by the number of statements held.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.dsl.limits import Limits
from sheetgrpc.engine import worker
from sheetgrpc.planning.analysis import analyse
from sheetgrpc.planning.expand import Expansion, expand
from sheetgrpc.planning.model import Analysis, Key, Known, Wanted
from sheetgrpc.store.base import Store

_INLINE_CHARACTERS = 32_000  # about 400 statements, 5 ms
_KEPT_STATEMENTS = 400_000


class Analyst:
    """Analysis for one catalog over one store."""

    def __init__(self, catalog: Catalog, store: Store, limits: Limits) -> None:
        self._catalog = catalog
        self._store = store
        self._limits = limits
        self._worker = worker.Worker(catalog.source)
        self._kept: OrderedDict[str, Analysis] = OrderedDict()
        self._kept_statements = 0
        self._marks: dict[str, object] = {}

    async def analyse(self, source: str, resolutions: Mapping[str, Key], executions: Sequence[str]) -> Analysis:
        """All that can be said of a sheet. `executions` are the session's committed ones, whose symbols it may use."""
        found = await self._run(source, Known(resolutions=dict(resolutions)))
        if found.wanted:
            known = await self._look_up(found.wanted, resolutions, executions)
            found = await self._run(source, known)
        return found

    async def expand(self, source: str, placeholder: str, keys: Sequence[Key]) -> Expansion:
        """The template for every key; in the worker where that is much."""
        if len(source) * len(keys) <= _INLINE_CHARACTERS:
            return expand(source, placeholder, keys)
        return await self._worker.call(worker.expand_template, source, placeholder, list(keys))

    def mark(self, sheet_id: str) -> object:
        """For `keep`: an analysis begun now is out of date once another is kept or this one forgotten."""
        mark = self._marks[sheet_id] = object()
        return mark

    def unmark(self, sheet_id: str, mark: object) -> None:
        """The analysis that began with the mark is over."""
        if self._marks.get(sheet_id) is mark:
            del self._marks[sheet_id]

    def keep(self, sheet_id: str, analysis: Analysis, mark: object = None) -> None:
        """Keeps what was found of a sheet, until it is forgotten or others need the room; not if its mark has gone."""
        if mark is not None and self._marks.get(sheet_id) is not mark:
            return
        self.forget(sheet_id)
        self._kept[sheet_id] = analysis
        self._kept_statements += analysis.statement_count
        while self._kept_statements > _KEPT_STATEMENTS and len(self._kept) > 1:
            self.forget(next(iter(self._kept)))

    def recall(self, sheet_id: str) -> Analysis | None:
        """What is kept of a sheet."""
        analysis = self._kept.get(sheet_id)
        if analysis is not None:
            self._kept.move_to_end(sheet_id)
        return analysis

    def forget(self, sheet_id: str) -> None:
        """Drops what is kept of a sheet."""
        self._marks.pop(sheet_id, None)
        analysis = self._kept.pop(sheet_id, None)
        if analysis is not None:
            self._kept_statements -= analysis.statement_count
            _let_go(_parts(analysis))

    async def warm(self) -> None:
        """Starts the worker process, so that the first large sheet does not wait for it."""
        await self._worker.call(worker.ready)

    async def close(self) -> None:
        """Ends the worker process."""
        await self._worker.close()

    async def _run(self, source: str, known: Known) -> Analysis:
        if len(source) <= _INLINE_CHARACTERS:
            return analyse(source, self._catalog, known, self._limits)
        return await self._worker.call(worker.analyse_sheet, source, known, self._limits)

    async def _look_up(self, wanted: Wanted, resolutions: Mapping[str, Key], executions: Sequence[str]) -> Known:
        known = Known(resolutions=dict(resolutions), complete=True)
        entities = self._catalog.entities
        for kind, keys in wanted.keys.items():
            known.keys[kind] = await self._store.existing(entities[kind], keys)
        for kind, texts in wanted.references.items():
            named = await self._store.named(entities[kind], texts)
            known.references[kind] = {text: keys[0] for text, keys in named.items() if len(keys) == 1}
        if wanted.symbols and executions:
            for row in await self._store.symbols(executions, wanted.symbols, "", len(wanted.symbols)):
                known.symbols[row.name] = row.entity_type, row.entity_id
        return known


def _parts(analysis: Analysis) -> list[object]:
    """The large lists of an analysis."""
    groups = analysis.plan.groups if analysis.plan is not None else []
    return [part for group in groups for part in (group.bindings, *(column.values for column in group.columns))]


def _let_go(parts: list[object]) -> None:
    """Frees them one a turn of the loop: all at once, 100,000 statements would hold it for 100 ms."""
    if parts:
        parts.pop()
        asyncio.get_running_loop().call_soon(_let_go, parts)

"""Sheets as callers see them, made from an analysis: pages of phases, statements, findings, references.

What is shown of a statement beyond its columns is read again from its own stretch of the source, a page at a time, so
nothing is kept per statement for it.
"""

import bisect
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from sheetgrpc.catalog.loading import arguments_by_name
from sheetgrpc.catalog.model import Catalog, Type
from sheetgrpc.dsl.diagnostics import Diagnostic, Extent
from sheetgrpc.dsl.source import Source, locate
from sheetgrpc.engine.views import (
    EMBEDDED,
    DiagnosticView,
    PhaseView,
    ReferenceView,
    ResolvedArgument,
    SheetView,
    StatementView,
)
from sheetgrpc.planning.blocking import uses
from sheetgrpc.planning.model import Analysis, Group, Key, Plan
from sheetgrpc.store.records import AnalysisRow, ReferenceRow, SheetRow


def view_sheet(
    row: SheetRow,
    counts: AnalysisRow | None,
    *,
    phases: list[PhaseView],
    diagnostics: list[DiagnosticView],
    references: list[ReferenceView],
) -> SheetView:
    """A sheet with the counts of its last parse, zero before."""
    return SheetView(
        id=row.id,
        session_id=row.session_id,
        digest=row.digest,
        statement_count=counts.statement_count if counts is not None else row.statement_count,
        phase_count=counts.phase_count if counts is not None else 0,
        error_count=counts.error_count if counts is not None else 0,
        warning_count=counts.warning_count if counts is not None else 0,
        unresolved_count=counts.unresolved_count if counts is not None else 0,
        created_at=row.created_at,
        phases=phases,
        diagnostics=diagnostics,
        unresolved_references=references,
    )


def count_analysis(sheet_id: str, analysis: Analysis) -> AnalysisRow:
    """An analysis in counts."""
    return AnalysisRow(
        sheet_id=sheet_id,
        catalog_digest=analysis.catalog_digest,
        statement_count=analysis.statement_count,
        phase_count=analysis.phase_count,
        error_count=analysis.error_count,
        warning_count=analysis.warning_count,
        unresolved_count=analysis.unresolved_count,
    )


def view_diagnostics(source: Source, diagnostics: Sequence[Diagnostic]) -> list[DiagnosticView]:
    """Findings with their places."""
    return [DiagnosticView(diagnostic, source.span(diagnostic.extent)) for diagnostic in diagnostics]


def view_references(
    source: Source, analysis: Analysis, catalog: Catalog, rows: Sequence[tuple[int, ReferenceRow]]
) -> list[ReferenceView]:
    """References with their places: the argument's value, under whatever alias it was given."""
    views = []
    for position, row in rows:
        index = row.reference.statement_index
        located = locate(source.text, analysis.offsets[index], analysis.lengths[index])
        verb = catalog.verbs.get(located.call.verb)
        known = arguments_by_name(verb) if verb is not None else {}
        values = {known[name].name: parts.value for name, parts in located.arguments.items() if name in known}
        extent = values.get(row.reference.argument, Extent(analysis.offsets[index], analysis.lengths[index]))
        views.append(ReferenceView(position, row, source.span(extent)))
    return views


class Phases:
    """The phases of a plan: which statements each has, found without walking the others."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._depths = plan.batches[3::4]

    def page(self, after: int, limit: int) -> list[PhaseView]:
        """Phases of a depth beyond `after`."""
        return [self._view(depth) for depth in range(after + 1, min(after + 1 + limit, self._plan.phase_count))]

    def indexes(self, depth: int) -> list[int]:
        """All statements of a depth, ascending."""
        return sorted(chain.from_iterable(group.indexes[first:stop] for group, first, stop in self._parts(depth)))

    def _parts(self, depth: int) -> Iterator[tuple[Group, int, int]]:
        """The batches of a depth: a group and its rows."""
        plan = self._plan
        start = bisect.bisect_left(self._depths, depth)
        for batch in range(start, bisect.bisect_right(self._depths, depth)):
            number, first, stop, _ = plan.batches[4 * batch : 4 * batch + 4]
            yield plan.groups[number], first, stop

    def _view(self, depth: int) -> PhaseView:
        """Only what is shown is looked at: a phase may have 100,000 statements, and this runs on the event loop."""
        parts = list(self._parts(depth))
        indexes = heapq.merge(*(group.indexes[first:stop] for group, first, stop in parts))
        makers = heapq.merge(*(group.indexes[first:stop] for group, first, stop in parts if group.bindings is not None))
        needed: set[int] = set()
        for group, first, stop in parts:
            for column in group.columns:
                if column.refs is not None:
                    needed.update(column.refs[first:stop])
                for row in range(first, stop) if column.trees else ():
                    needed.update(piece for piece in (column.trees or {}).get(row, ()) if isinstance(piece, int))
        needed.discard(-1)
        return PhaseView(
            depth=depth,
            statement_count=sum(stop - first for _, first, stop in parts),
            statement_indices=list(islice(indexes, EMBEDDED)),
            produces=self._names(makers),
            consumes=self._names(sorted(needed)[:EMBEDDED]),
        )

    def _names(self, indexes: Iterable[int]) -> list[str]:
        """The symbols that the first of these statements bind; those of lifted statements are the server's own."""
        names = (binding_of(self._plan, index) for index in indexes)
        return list(islice((name for name in names if name and not name.startswith("__")), EMBEDDED))


def binding_of(plan: Plan, index: int) -> str:
    """The symbol that a statement binds, or nothing."""
    group = plan.groups[plan.group_of[index]]
    if group.bindings is None:
        return ""
    return group.bindings[row_of(plan, index)] or ""


def row_of(plan: Plan, index: int) -> int:
    """A statement's row in its group: rows are in order of (depth, index)."""
    group = plan.groups[plan.group_of[index]]
    depths = plan.depths
    return bisect.bisect_left(group.indexes, (depths[index], index), key=lambda other: (depths[other], other))


def view_statements(
    source: Source,
    plan: Plan,
    catalog: Catalog,
    indexes: Sequence[int],
    provenance: tuple[Sequence[Key], int],
    displays: Mapping[tuple[str, Key], str],
    status: int,
) -> list[StatementView]:
    """Statements of a plan. `provenance`: the scope's keys and template statements per entity (0: imported)."""
    keys, per_entity = provenance
    views = []
    for index in indexes:
        group = plan.groups[plan.group_of[index]]
        row = row_of(plan, index)
        extent = Extent(plan.offsets[index], plan.lengths[index])
        views.append(
            StatementView(
                index=index,
                source=source.text[extent.offset : extent.offset + extent.length],
                verb=group.verb,
                depth=plan.depths[index],
                produces=binding_of(plan, index),
                consumes=sorted({binding_of(plan, other) for other in uses(group, row)}),
                entity_id=keys[index // per_entity] if per_entity else None,
                template_statement=index % per_entity if per_entity else None,
                span=source.span(extent),
                status=status,
                resolved_arguments=[
                    ResolvedArgument(name, key, displays.get((kind, key), ""))
                    for name, kind, key in resolved(plan, catalog, index)
                ],
            )
        )
    return views


def resolved(plan: Plan, catalog: Catalog, index: int) -> list[tuple[str, str, Key]]:
    """The entity arguments of a statement that stand for known rows: (argument, entity type, key)."""
    group = plan.groups[plan.group_of[index]]
    row = row_of(plan, index)
    kinds = {argument.name: argument.entity for argument in catalog.verbs[group.verb].arguments}
    found: list[tuple[str, str, Key]] = []
    for column in group.columns:
        key = column.values[row]
        kind = kinds[column.argument]
        if column.type is Type.ENTITY and kind is not None and isinstance(key, (str, int)):
            found.append((column.argument, kind, key))
    return found


def view_unplanned(source: Source, analysis: Analysis, indexes: Sequence[int], status: int) -> list[StatementView]:
    """Statements of a sheet that has no plan (it has errors): what their own text says."""
    views = []
    for index in indexes:
        extent = Extent(analysis.offsets[index], analysis.lengths[index])
        located = locate(source.text, extent.offset, extent.length)
        views.append(
            StatementView(
                index=index,
                source=source.text[extent.offset : extent.offset + extent.length],
                verb=located.call.verb,
                depth=None,
                produces=located.call.binding or "",
                consumes=[],
                entity_id=None,
                template_statement=None,
                span=source.span(extent),
                status=status,
                resolved_arguments=[],
            )
        )
    return views

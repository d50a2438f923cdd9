"""From a sheet's text to findings and a plan: parse, bind, order, group into batches. Pure.

Run it once with nothing known; if the answer wants something from the database, look that up and run it again with what
was found. The second answer wants nothing more. The same text, catalog and knowledge give the same answer, whatever the
hash seed.
"""

import hashlib
from array import array
from collections.abc import Sequence

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.dsl.columns import Columns
from sheetgrpc.dsl.diagnostics import Diagnostic, DiagnosticCode, Extent
from sheetgrpc.dsl.parser import Limits, parse
from sheetgrpc.dsl.source import Located, locate
from sheetgrpc.planning import depths, order
from sheetgrpc.planning.binding import Binding, bind
from sheetgrpc.planning.drafts import Draft
from sheetgrpc.planning.findings import BINDING, VERB, Finding, shorten
from sheetgrpc.planning.model import Analysis, Cell, Column, Group, Ints, Known, Plan, Wanted

DEFAULT_LIMITS = Limits()


def analyse(source: str, catalog: Catalog, known: Known, limits: Limits = DEFAULT_LIMITS) -> Analysis:
    """All that can be said of a sheet. `plan` is there if there is no error and nothing is wanted."""
    sheet = parse(source, limits)
    binding = bind(sheet, catalog, known)
    if binding.wanted:
        nothing = array("i")
        return Analysis(sheet.count, 0, [], [], binding.wanted, None, catalog.digest, nothing, nothing)
    sequence, findings = _sequence(binding)
    findings += binding.findings
    diagnostics = _place(source, sheet, findings)
    plan = None
    if not any(diagnostic.severity == "ERROR" for diagnostic in diagnostics):
        placed = depths.compute(binding.drafts, catalog, binding.needs, sequence)
        plan = _plan(source, sheet, binding, placed, sequence)
    is_open = any(reference.entity_id is None for reference in binding.references)
    return Analysis(
        statement_count=sheet.count,
        phase_count=plan.phase_count if plan is not None and not is_open else 0,
        diagnostics=diagnostics,
        references=binding.references,
        wanted=Wanted(),
        plan=plan,
        catalog_digest=catalog.digest,
        offsets=sheet.offsets,
        lengths=sheet.lengths,
        syntax_error_count=len(sheet.diagnostics),
    )


def _sequence(binding: Binding) -> tuple[list[int] | None, list[Finding]]:
    """The canonical order (None: source order), or the cycles that prevent one."""
    if order.backward(binding.needs):
        return None, []
    sequence = order.sort(binding.needs)
    if len(sequence) == len(binding.needs):
        return sequence, []
    return sequence, [_report_cycle(path, binding) for path in order.cycles(binding.needs, sequence)]


def _report_cycle(path: Sequence[int], binding: Binding) -> Finding:
    names = {index: f" (@{name})" for name, index in binding.symbols.items() if not name.startswith("__")}
    shown = [f"statement {index}{names.get(index, '')}" for index in path]
    if len(shown) > 20:
        shown[10:-10] = [f"... {len(shown) - 20} more ..."]
    message = "statements need each other: " + " needs ".join([*shown, shown[0]])
    return Finding(path[0], VERB, DiagnosticCode.CYCLIC_DEPENDENCY, message, "break the circle at one of these symbols")


def _place(source: str, sheet: Columns, findings: Sequence[Finding]) -> list[Diagnostic]:
    """Syntax errors and findings in source order, each with the exact stretch of text it is about."""
    placed = list(sheet.diagnostics)
    if not sheet.count and not placed:
        hint = "a statement looks like (verb :argument value)"
        placed.append(Diagnostic(DiagnosticCode.EMPTY_SHEET, "the sheet has no statement", Extent(0, 0), hint))
    at, located = -1, None
    for finding in shorten(findings):
        if located is None or finding.index != at:
            at = finding.index
            located = locate(source, sheet.offsets[at], sheet.lengths[at])
        placed.append(Diagnostic(finding.code, finding.message, _extent(finding, located), finding.hint, at))
    placed.sort(key=lambda diagnostic: (diagnostic.extent.offset, diagnostic.extent.length, diagnostic.code))
    return placed


def _plain_extent(source: str, sheet: Columns, finding: Finding) -> Extent | None:
    """Where a binding stands in a statement that ends with it, as most do: a sheet may have 100,000 unused ones."""
    if finding.part != ":as" or not finding.symbol:
        return None
    end = sheet.offsets[finding.index] + sheet.lengths[finding.index]
    start = end - len(finding.symbol) - 2
    ends_so = source.startswith(f":as @{finding.symbol})", start - 4)
    return Extent(start, len(finding.symbol) + 1) if ends_so else None


def _extent(finding: Finding, located: Located) -> Extent:
    if finding.part == VERB:
        return located.verb
    if finding.part == BINDING:
        return located.binding or located.verb
    argument = located.arguments.get(finding.part)
    if argument is None:
        return located.verb
    if finding.symbol:
        for name, extent in located.symbols:
            inside = argument.value.offset <= extent.offset < argument.value.offset + argument.value.length
            if name == finding.symbol and inside:
                return extent
    return argument.name if finding.at_name else argument.value


def _plan(source: str, sheet: Columns, binding: Binding, placed: list[int], sequence: list[int] | None) -> Plan:
    groups = [_group(draft, placed) for draft in binding.drafts]
    group_of = array("i", bytes(4 * sheet.count))
    for number, group in enumerate(groups):
        for index in group.indexes:
            group_of[index] = number
    return Plan(
        count=sheet.count,
        phase_count=max(placed, default=-1) + 1,
        groups=groups,
        batches=_batches(groups, placed),
        depths=array("i", placed),
        group_of=group_of,
        offsets=sheet.offsets,
        lengths=sheet.lengths,
        order=array("i", sequence) if sequence is not None else None,
        digest=hashlib.sha256(source.encode(errors="surrogatepass")).hexdigest(),
    )


def _group(draft: Draft, placed: Sequence[int]) -> Group:
    """A draft with its rows in run order: by depth, then by place in the sheet."""
    ranks = [(placed[index], index) for index in draft.indexes]
    rows: list[int] | None = None
    if any(map(tuple.__gt__, ranks, ranks[1:])):
        rows = sorted(range(len(ranks)), key=ranks.__getitem__)
    return Group(
        verb=draft.verb.name,
        given=tuple(argument.name for argument in draft.given),
        indexes=draft.indexes if rows is None else array("i", [draft.indexes[row] for row in rows]),
        columns=draft.columns if rows is None else [_reorder(column, rows) for column in draft.columns],
        bindings=draft.bindings if rows is None or draft.bindings is None else [draft.bindings[row] for row in rows],
    )


def _reorder(column: Column, rows: Sequence[int]) -> Column:
    values: list[Cell] = [column.values[row] for row in rows]
    column.values = values
    if column.refs is not None:
        column.refs = array("i", [column.refs[row] for row in rows])
    if column.trees:
        column.trees = {at: column.trees[row] for at, row in enumerate(rows) if row in column.trees}
    return column


def _batches(groups: Sequence[Group], placed: Sequence[int]) -> Ints:
    """Batches in run order: by depth, then by their first statement."""
    found: list[tuple[int, int, int, int, int]] = []  # depth, first statement, group, start, stop
    for number, group in enumerate(groups):
        start = 0
        indexes = group.indexes
        for stop in range(1, len(indexes) + 1):
            if stop == len(indexes) or placed[indexes[stop]] != placed[indexes[start]]:
                found.append((placed[indexes[start]], indexes[start], number, start, stop))
                start = stop
    found.sort()
    return array("i", [part for depth, _, group, start, stop in found for part in (group, start, stop, depth)])

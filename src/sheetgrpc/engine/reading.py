"""Reads about sheets: what a sheet is, its phases, statements, findings, references, and the results of its runs.

A read names a session (its current sheet) or a sheet. What a plan is needed for is taken from the analysis kept since
ParseSheet, or analysed again.
"""

from collections.abc import Mapping, Sequence

from sheetgrpc.dsl.diagnostics import Extent, Severity
from sheetgrpc.dsl.source import Source
from sheetgrpc.engine.aside import aside, decode
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.names import Names
from sheetgrpc.engine.sheet_steps import encode, view_parsed
from sheetgrpc.engine.sheets import (
    Phases,
    resolved,
    view_diagnostics,
    view_references,
    view_sheet,
    view_statements,
    view_unplanned,
)
from sheetgrpc.engine.views import (
    EMBEDDED,
    DiagnosticView,
    PhaseView,
    ReferenceView,
    ResultView,
    SheetView,
    StatementView,
)
from sheetgrpc.errors import NotFound, Reason, limit_exceeded
from sheetgrpc.planning.model import Analysis, Key, Plan, Status
from sheetgrpc.session.model import Session
from sheetgrpc.store.records import SheetRow


class SheetReader:
    """Sheets, page by page."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def get(self, session: str, sheet_id: str, owner: str | None = None) -> SheetView:
        """A sheet with the first of everything its last parse found; NotFound where it is not this owner's."""
        whole, sheet = await self._find(session, sheet_id, owner)
        store = self._context.store
        counts = await store.analysis(sheet.id)
        if counts is None:
            return view_sheet(sheet, None, phases=[], diagnostics=[], references=[])
        reader = Source(await decode(sheet.source))
        phases: list[PhaseView] = []
        references: list[ReferenceView] = []
        if counts.phase_count or counts.unresolved_count:
            analysis = await self._context.analyse(sheet, whole)
            phases = (
                Phases(analysis.plan).page(-1, EMBEDDED) if analysis.plan is not None and counts.phase_count else []
            )
            rows = await store.references(sheet.id, -1, EMBEDDED, unresolved_only=True)
            references = view_references(reader, analysis, self._context.catalog, rows)
        diagnostics = await store.diagnostics(sheet.id, 0, EMBEDDED)
        return view_sheet(
            sheet,
            counts,
            phases=phases,
            diagnostics=view_diagnostics(reader, diagnostics),
            references=references,
        )

    async def check(self, source: str) -> SheetView:
        """What ParseSheet would find, without a session; nothing is kept."""
        text, digest = await aside(len(source), encode, source)
        limit = self._context.settings.max_source_bytes
        if len(text) > limit:
            raise limit_exceeded("bytes of source", limit=limit, actual=len(text))
        analysis = await self._context.analyst.analyse(source, {}, ())
        references = await Names(self._context).rank(analysis.references)
        sheet = SheetRow("", "", digest, text, analysis.statement_count, 0)
        return view_parsed(self._context.catalog, sheet, source, analysis, references)

    async def statements(
        self, session: str, sheet_id: str, after: int, limit: int, depth: int | None, owner: str | None = None
    ) -> list[StatementView]:
        """Statements beyond index `after`, of one depth if asked."""
        whole, sheet = await self._find(session, sheet_id, owner)
        analysis = await self._context.analyse(sheet, whole)
        plan = analysis.plan
        reader = Source(await decode(sheet.source))
        if plan is None:
            indexes = [] if depth is not None else range(after + 1, min(after + 1 + limit, analysis.statement_count))
            parsed = await self._context.store.analysis(sheet.id) is not None
            return view_unplanned(reader, analysis, indexes, Status.PARSED if parsed else Status.PENDING)
        if depth is None:
            indexes = range(after + 1, min(after + 1 + limit, plan.count))
        elif 0 <= depth < plan.phase_count:
            indexes = [index for index in Phases(plan).indexes(depth) if index > after][:limit]
        else:
            indexes = []
        return view_statements(
            reader,
            plan,
            self._context.catalog,
            indexes,
            await self._provenance(sheet),
            await self._displays(plan, indexes),
            await self._status(sheet, analysis),
        )

    async def phases(
        self, session: str, sheet_id: str, after: int, limit: int, owner: str | None = None
    ) -> list[PhaseView]:
        """Phases beyond depth `after`; none while the sheet has errors or was not parsed."""
        whole, sheet = await self._find(session, sheet_id, owner)
        counts = await self._context.store.analysis(sheet.id)
        if counts is None or not counts.phase_count:
            return []
        analysis = await self._context.analyse(sheet, whole)
        return Phases(analysis.plan).page(after, limit) if analysis.plan is not None else []

    async def diagnostics(
        self, session: str, sheet_id: str, after: int, limit: int, owner: str | None = None
    ) -> list[DiagnosticView]:
        """Findings of the last parse in source order, from the `after`th."""
        _, sheet = await self._find(session, sheet_id, owner)
        found = await self._context.store.diagnostics(sheet.id, after, limit)
        return view_diagnostics(Source(await decode(sheet.source)), found)

    async def references(
        self, session: str, sheet_id: str, after: int, limit: int, owner: str | None = None, *, unresolved_only: bool
    ) -> list[ReferenceView]:
        """References of the last parse, beyond position `after`."""
        whole, sheet = await self._find(session, sheet_id, owner)
        rows = await self._context.store.references(sheet.id, after, limit, unresolved_only=unresolved_only)
        if not rows:
            return []
        analysis = await self._context.analyse(sheet, whole)
        return view_references(Source(await decode(sheet.source)), analysis, self._context.catalog, rows)

    async def results(
        self, execution_id: str, after: int, limit: int, statuses: Sequence[int], owner: str | None = None
    ) -> list[ResultView]:
        """Results of an execution that has ended, beyond statement `after`."""
        store = self._context.store
        execution = await store.execution(execution_id, owner)
        rows = await store.results(execution, after, limit, statuses)
        if not any(row.error is not None for row in rows):
            return [ResultView(row) for row in rows]
        sheet = await store.sheet(execution.sheet_id)
        whole = await store.session(execution.session_id)
        analysis = await self._context.analyse(sheet, whole.session)
        reader = Source(await decode(sheet.source))
        views = []
        for row in rows:
            known = row.error is not None and row.index < len(analysis.offsets)
            extent = Extent(analysis.offsets[row.index], analysis.lengths[row.index]) if known else None
            views.append(ResultView(row, reader.span(extent) if extent is not None else None))
        return views

    async def _find(self, session: str, sheet_id: str, owner: str | None) -> tuple[Session, SheetRow]:
        """The sheet, and the session it belongs to."""
        store = self._context.store
        if sheet_id:
            sheet = await store.sheet(sheet_id.upper(), owner)
            return (await store.session(sheet.session_id)).session, sheet
        whole = (await store.session(session, owner)).session
        if whole.sheet is None:
            message = f"session {whole.id} has no sheet; ImportSheet or GenerateSheet makes one"
            raise NotFound(Reason.SHEET_NOT_FOUND, message, resource=("sheet", ""))
        return whole, await store.sheet(whole.sheet.id)

    async def _provenance(self, sheet: SheetRow) -> tuple[Sequence[Key], int]:
        if not sheet.template_statements:
            return (), 0
        return (await self._context.store.scope(sheet.scope_id)).keys, sheet.template_statements

    async def _displays(self, plan: Plan, indexes: Sequence[int]) -> Mapping[tuple[str, Key], str]:
        wanted: dict[str, set[Key]] = {}
        for index in indexes:
            for _, kind, key in resolved(plan, self._context.catalog, index):
                wanted.setdefault(kind, set()).add(key)
        shown: dict[tuple[str, Key], str] = {}
        for kind, keys in wanted.items():
            entity = self._context.catalog.entities[kind]
            found = await self._context.store.displays(entity, sorted(keys, key=str))
            shown.update({(kind, key): text for key, text in found.items()})
        return shown

    async def _status(self, sheet: SheetRow, analysis: Analysis) -> Status:
        counts = await self._context.store.analysis(sheet.id)
        if counts is None:
            return Status.PENDING
        errors = any(diagnostic.severity is Severity.ERROR for diagnostic in analysis.diagnostics)
        return Status.PARSED if errors or analysis.unresolved_count else Status.RESOLVED

"""The changing calls about a sheet: import, generate, parse, resolve, submit; steps of the one handler."""

import hashlib
from collections.abc import Sequence

from sheetgrpc.catalog.model import Catalog
from sheetgrpc.clock import Draw
from sheetgrpc.dsl.diagnostics import Severity
from sheetgrpc.dsl.source import Source
from sheetgrpc.engine import intents
from sheetgrpc.engine.aside import aside, decode
from sheetgrpc.engine.choices import analyse_chosen, read_choices
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.names import Names
from sheetgrpc.engine.sheets import Phases, count_analysis, view_diagnostics, view_references, view_sheet
from sheetgrpc.engine.steps import _NO_DRAW, Simple, read_key
from sheetgrpc.engine.views import EMBEDDED, Outcome, SheetView
from sheetgrpc.errors import NotAllowed, NotFound, Reason, limit_exceeded
from sheetgrpc.planning.expand import Expansion, size
from sheetgrpc.planning.model import Analysis, Key
from sheetgrpc.session import commands
from sheetgrpc.session.model import Choice, ExecutionState, Mode, Session, Sheet
from sheetgrpc.store.queue import check_admission
from sheetgrpc.store.records import Changes, ExecutionRow, ReferenceRow, SessionRow, SheetRow
from sheetgrpc.trust.model import TrustedModule


def encode(source: str) -> tuple[bytes, str]:
    """A text's UTF-8 bytes and their SHA-256 in lower-case hex."""
    encoded = source.encode()
    return encoded, hashlib.sha256(encoded).hexdigest()


class ImportSheet(Simple):
    """Takes a sheet as text."""

    def __init__(self, context: Context, intent: intents.ImportSheet) -> None:
        super().__init__(context, commands.ConfirmIntent())
        self._text = intent.source
        self._source = b""
        self._digest = ""

    async def prepare(self, row: SessionRow | None) -> None:
        """Checks the size and hashes."""
        limit = self.context.settings.max_source_bytes
        self._source, self._digest = await aside(len(self._text), encode, self._text)
        if len(self._source) > limit:
            raise limit_exceeded("bytes of source", limit=limit, actual=len(self._source))
        if row is not None:
            self.refuse_early(row.session, self.command(_NO_DRAW))

    def command(self, draw: Draw) -> commands.Command:
        """The new sheet, under the draw's id."""
        return commands.ImportSheet(sheet=Sheet(id=draw.id, digest=self._digest))

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """The sheet's row."""
        changes.sheet = SheetRow(draw.id, session.id, self._digest, self._source, 0, draw.now)

    def outcome(self, row: SessionRow, changes: Changes) -> Outcome:
        """The session and the sheet, which is not parsed yet."""
        sheet = changes.sheet
        view = view_sheet(sheet, None, phases=[], diagnostics=[], references=[]) if sheet is not None else None
        return Outcome(self.context.view(row), view)


class GenerateSheet(ImportSheet):
    """Makes a sheet of the confirmed template and the scope."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, intents.ImportSheet(""))
        self._expansion = Expansion("", 0, 0)
        self._scope_id = ""

    async def prepare(self, row: SessionRow | None) -> None:
        """Expands; limits are checked before anything is made."""
        if row is None:
            return
        self.refuse_early(row.session, self.command(_NO_DRAW))
        scope, template = row.session.scope, row.session.template
        if scope is None or template is None:
            return  # the machine has refused this already
        self._scope_id = scope.id
        keys = (await self.context.store.scope(scope.id)).keys
        settings = self.context.settings
        statements, bound = size(template.source, template.target_entity_type, keys)
        if statements > settings.max_statements:
            raise limit_exceeded("statements", limit=settings.max_statements, actual=statements)
        if bound > settings.max_source_bytes:
            raise limit_exceeded("bytes of source", limit=settings.max_source_bytes, actual=bound)
        self._expansion = await self.context.analyst.expand(template.source, template.target_entity_type, keys)
        self._source, self._digest = await aside(len(self._expansion.source), encode, self._expansion.source)

    def command(self, draw: Draw) -> commands.Command:
        """The new sheet, under the draw's id."""
        return commands.GenerateSheet(
            sheet=Sheet(id=draw.id, digest=self._digest, statement_count=self._expansion.statement_count)
        )

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """The sheet's row, which knows what it was made of."""
        changes.sheet = SheetRow(
            id=draw.id,
            session_id=session.id,
            digest=self._digest,
            source=self._source,
            statement_count=self._expansion.statement_count,
            created_at=draw.now,
            scope_id=self._scope_id,
            template_statements=self._expansion.template_statements,
        )


class ParseSheet(Simple):
    """Analyses the current sheet; earlier resolutions are kept where their row still exists."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, commands.ConfirmIntent())
        self._sheet: SheetRow | None = None
        self._analysis: Analysis | None = None
        self._references: Sequence[ReferenceRow] = ()
        self._view: SheetView | None = None

    async def prepare(self, row: SessionRow | None) -> None:
        """The analysis, with candidates for every open name."""
        if row is None:
            return
        session = row.session
        current = session.sheet
        self.refuse_early(session, parse_command(current.id if current is not None else "", None))
        if current is None:
            return  # refused already
        self._sheet = await self.context.store.sheet(current.id)
        source = await decode(self._sheet.source)
        resolutions = await self.context.resolutions(current.id)
        self._analysis = await analyse_chosen(self.context, source, session.committed, resolutions, current.choices)
        self._references = await Names(self.context).rank(self._analysis.references)
        self._view = view_parsed(self.context.catalog, self._sheet, source, self._analysis, self._references)

    def command(self, draw: Draw) -> commands.Command:  # noqa: ARG002  # the step's form
        """What was found, in counts."""
        return parse_command(self._sheet.id if self._sheet is not None else "", self._analysis)

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:  # noqa: ARG002  # the step's form
        """Findings and references replace the earlier ones."""
        if self._sheet is None or self._analysis is None:
            return
        changes.analysis = count_analysis(self._sheet.id, self._analysis)
        changes.diagnostics = self._analysis.diagnostics
        changes.references = self._references

    def outcome(self, row: SessionRow, changes: Changes) -> Outcome:  # noqa: ARG002  # the step's form
        """The session and the sheet with all that was found."""
        return Outcome(self.context.view(row), self._view)

    def woken(self, changes: Changes) -> None:  # noqa: ARG002  # the step's form
        """The plan is kept for the submit."""
        if self._sheet is not None and self._analysis is not None:
            self.context.analyst.keep(self._sheet.id, self._analysis)


def parse_command(sheet_id: str, analysis: Analysis | None) -> commands.ParseSheet:
    """What an analysis of a sheet found, in counts; None for nothing at all."""
    return commands.ParseSheet(
        sheet_id=sheet_id,
        syntax_error_count=analysis.syntax_error_count if analysis is not None else 0,
        error_count=analysis.error_count if analysis is not None else 0,
        warning_count=analysis.warning_count if analysis is not None else 0,
        unresolved_count=analysis.unresolved_count if analysis is not None else 0,
        statement_count=analysis.statement_count if analysis is not None else 0,
        phase_count=analysis.phase_count if analysis is not None else 0,
        catalog_digest=analysis.catalog_digest if analysis is not None else "",
    )


def view_parsed(
    catalog: Catalog, sheet: SheetRow, source: str, analysis: Analysis, references: Sequence[ReferenceRow]
) -> SheetView:
    """A sheet with the first of everything that was found."""
    reader = Source(source)
    errors = sorted(analysis.diagnostics, key=lambda found: found.severity is not Severity.ERROR)
    shown = analysis.diagnostics if len(errors) <= EMBEDDED else errors
    open_rows = [(at, row) for at, row in enumerate(references) if row.reference.entity_id is None]
    return view_sheet(
        sheet,
        count_analysis(sheet.id, analysis),
        phases=Phases(analysis.plan).page(-1, EMBEDDED) if analysis.plan is not None and analysis.phase_count else [],
        diagnostics=view_diagnostics(reader, shown[:EMBEDDED]),
        references=view_references(reader, analysis, catalog, open_rows[:EMBEDDED]),
    )


class ResolveReference(ParseSheet):
    """Takes a person's word for what a name means, and plans again."""

    def __init__(self, context: Context, intent: intents.ResolveReference) -> None:
        super().__init__(context)
        self._intent = intent
        self._resolved: dict[str, Key] = {}

    async def prepare(self, row: SessionRow | None) -> None:
        """Checks the reference and the row; the analysis with the new keys."""
        if row is None:
            return
        session = row.session
        current = session.sheet
        self.refuse_early(session, self._resolve(current.unresolved_count if current is not None else 0))
        if current is None:
            return  # refused already
        self._sheet = await self.context.store.sheet(current.id)
        before = await self.context.analyse(self._sheet, session)
        await self._check(before)
        source = await decode(self._sheet.source)
        resolutions = {**await self.context.resolutions(current.id), **self._resolved}
        self._analysis = await self.context.analyst.analyse(source, resolutions, session.committed)
        if self._analysis.error_count:  # the tables have changed since the parse; what it found is out of date
            wrong = next(found for found in self._analysis.diagnostics if found.severity is Severity.ERROR)
            message = f"the sheet is not what was parsed any more: {wrong.message}; parse it again"
            raise NotAllowed(Reason.ACTION_NOT_ALLOWED, message)
        self._references = await Names(self.context).rank(self._analysis.references)
        self._view = view_parsed(self.context.catalog, self._sheet, source, self._analysis, self._references)

    async def _check(self, analysis: Analysis) -> None:
        meant = next((found for found in analysis.references if found.ref_id == self._intent.ref_id), None)
        if meant is None:
            message = f'the sheet has no reference "{self._intent.ref_id}"; ListReferences lists them'
            raise NotFound(Reason.REFERENCE_NOT_FOUND, message, resource=("reference", self._intent.ref_id))
        entity = self.context.catalog.entities[meant.entity_type]
        key = read_key(entity, self._intent.entity_id, "entity_id")
        if key not in await self.context.store.existing(entity, [key]):
            message = f'no {entity.name} has the key "{key}"'
            raise NotFound(Reason.ENTITY_NOT_FOUND, message, resource=(entity.name, str(key)))
        choice = Choice(self._intent.ref_id, self._intent.entity_id, self._intent.apply_to_same_text)
        chosen = read_choices(self.context.catalog, analysis.references, [choice])
        self._resolved = {ref_id: key for ref_id, (_, key) in chosen.items()}

    def command(self, draw: Draw) -> commands.Command:  # noqa: ARG002  # the step's form
        """The choice, and how many names are still open."""
        return self._resolve(self._analysis.unresolved_count if self._analysis is not None else 0)

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """The keys; where they changed what was found otherwise, that too."""
        super().changes(session, draw, changes)
        changes.resolved = self._resolved

    def _resolve(self, unresolved: int) -> commands.ResolveReference:
        return commands.ResolveReference(
            ref_id=self._intent.ref_id,
            entity_id=self._intent.entity_id,
            unresolved_count=unresolved,
            apply_to_same_text=self._intent.apply_to_same_text,
            phase_count=self._analysis.phase_count if self._analysis is not None else None,
        )


class SubmitSheet(Simple):
    """Queues the run of the current sheet."""

    def __init__(self, context: Context, intent: intents.SubmitSheet) -> None:
        super().__init__(context, commands.ConfirmIntent())
        self._intent = intent
        self._modules: tuple[TrustedModule, ...] = ()

    async def prepare(self, row: SessionRow | None) -> None:
        """Nothing but the plain refusals: the plan is made ready by the run, before it takes the writer."""
        if row is not None:
            self.refuse_early(row.session, self.command(_NO_DRAW))
        await check_queue(self.context)
        if row is not None:
            await self.judge(row.session)

    async def judge(self, session: Session) -> None:
        """Refuses what the queue is not to be asked for, whatever state the session is in: here nothing.

        The queue is to know which modules the run will call into.
        """
        self._modules = await self.context.trusted_modules(session)

    def command(self, draw: Draw) -> commands.Command:
        """The submit, with the draw's id for the execution."""
        return commands.SubmitSheet(
            execution_id=draw.id,
            mode=self._intent.mode,
            confirm=self._intent.confirm,
            catalog_digest=self.context.catalog.digest,
        )

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """The execution's row."""
        sheet = session.sheet
        if sheet is None:
            raise RuntimeError("a session that executes has a sheet")
        changes.execution = ExecutionRow(
            id=draw.id,
            session_id=session.id,
            sheet_id=sheet.id,
            sheet_digest=sheet.digest,
            mode=Mode(self._intent.mode),
            state=ExecutionState.QUEUED,
            submitted_at=draw.now,
            statements_total=sheet.statement_count,
            phases_total=sheet.phase_count,
            timeout=self._intent.timeout,
            plan_digest=self._intent.plan_digest,
            max_rows_affected=self._intent.max_rows_affected,
            table_budgets=dict(self._intent.table_budgets),
            priority=self._intent.priority,
            replay_of=self._intent.replay_of,
            trusted_modules=self._modules,
        )
        changes.most_waiting = self.context.settings.max_queued

    def outcome(self, row: SessionRow, changes: Changes) -> Outcome:
        """The session and the queued execution."""
        return Outcome(self.context.view(row), execution=changes.execution)

    def woken(self, changes: Changes) -> None:  # noqa: ARG002  # the step's form
        """The run may begin."""
        self.context.runs.wake()
        if self.context.store.leases is not None:
            self.context.store.leases.hint("q")


async def check_queue(context: Context) -> None:
    """A queue that takes no more says so without taking the writer."""
    most = context.settings.max_queued
    check_admission((await context.store.queue()).mode, await context.store.waiting_count(most), most)

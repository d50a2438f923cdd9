"""The changing calls about plans: PlanSheet, a submit bound to a plan, a close that ends what is being planned."""

from sheetgrpc.clock import Draw
from sheetgrpc.engine import budgets, dry_runs, intents
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.runs import Cancel
from sheetgrpc.engine.sheet_steps import SubmitSheet, check_queue
from sheetgrpc.engine.steps import _NO_DRAW, Simple
from sheetgrpc.engine.views import Outcome
from sheetgrpc.errors import invalid_field
from sheetgrpc.session import commands
from sheetgrpc.session.model import ExecutionState, Mode, Session
from sheetgrpc.store.records import Changes, ExecutionRow, SessionRow
from sheetgrpc.trust.model import TrustedModule


def step(context: Context, intent: intents.PlanSheet | intents.CloseSession, caller: str) -> "PlanSheet | CloseSession":
    """The step of an intent."""
    match intent:
        case intents.PlanSheet():
            return PlanSheet(context, intent)
        case intents.CloseSession():
            return CloseSession(context, intent, caller)


class PlanSheet(Simple):
    """Queues a dry run of the current sheet."""

    def __init__(self, context: Context, intent: intents.PlanSheet) -> None:
        super().__init__(context, commands.ConfirmIntent())
        self._intent = intent
        self._modules: tuple[TrustedModule, ...] = ()

    async def prepare(self, row: SessionRow | None) -> None:
        """Nothing but the plain refusals, and what the queue is to know."""
        if row is not None:
            self.refuse_early(row.session, self.command(_NO_DRAW))
        await check_queue(self.context)
        if row is not None:
            self._modules = await self.context.trusted_modules(row.session)

    def command(self, draw: Draw) -> commands.Command:
        """The plan, with the draw's id for its execution."""
        return commands.PlanSheet(execution_id=draw.id, catalog_digest=self.context.catalog.digest)

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """The execution's row."""
        sheet = session.sheet
        if sheet is None:
            raise RuntimeError("a session that is READY has a sheet")
        changes.most_waiting = self.context.settings.max_queued
        changes.execution = ExecutionRow(
            id=draw.id,
            session_id=session.id,
            sheet_id=sheet.id,
            sheet_digest=sheet.digest,
            mode=Mode.ATOMIC_COLLECT,
            state=ExecutionState.QUEUED,
            submitted_at=draw.now,
            statements_total=sheet.statement_count,
            phases_total=sheet.phase_count,
            timeout=self._intent.timeout,
            dry_run=True,
            trusted_modules=self._modules,
        )

    def outcome(self, row: SessionRow, changes: Changes) -> Outcome:
        """The session and the queued execution."""
        return Outcome(self.context.view(row), execution=changes.execution)

    def woken(self, changes: Changes) -> None:
        """The run may begin."""
        if changes.execution is not None:
            self.context.runs.adopt(changes.execution)  # so that a close finds it, begun or not
            self.context.runs.wake()


class SubmitPlanned(SubmitSheet):
    """Queues the run of the current sheet, as it was planned or within a budget."""

    async def judge(self, session: Session) -> None:
        """A budget that the plan itself is beyond is refused here, before anything is queued."""
        await super().judge(session)
        intent, known = self._intent, {verb.table for verb in self.context.catalog.verbs.values()}
        for table in intent.table_budgets:
            if table not in known:
                raise invalid_field("table_budgets", f'"{table[:60]}" is no table that a verb of the catalog writes')
        if not intent.plan_digest or (intent.max_rows_affected is None and not intent.table_budgets):
            return
        planned = await dry_runs.find_plan(self.context, session.id, intent.plan_digest)
        if planned is not None:
            budgets.check_plan(planned.tables, intent.max_rows_affected, intent.table_budgets)


class CloseSession(Simple):
    """Ends the session, and the dry runs that nobody will ask about any more."""

    def __init__(self, context: Context, intent: intents.CloseSession, caller: str) -> None:
        super().__init__(context, commands.CloseSession(outcome=intent.outcome))
        self._caller = caller

    async def prepare(self, row: SessionRow | None) -> None:
        """Stops them first: where there is one writer, the close would wait for the run that has it."""
        if row is not None:
            self.refuse_early(row.session, self._command)
            self._stop(row.session.id)

    def woken(self, changes: Changes) -> None:
        """And those that came between."""
        self._stop(changes.session.id)

    def _stop(self, session_id: str) -> None:
        for run in self.context.runs.dry_runs(session_id):
            if run.cancel is None and not run.decided:
                run.ask(Cancel(self._caller, self.context.draws.now()))

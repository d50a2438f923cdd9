"""ReplayExecution: what an execution ran that committed nothing is submitted once more.

Nothing that the session may not do anyway: where its sheet is READY it is a SubmitSheet, and where the execution's end
has left it EXECUTED a ParseSheet and a SubmitSheet in one command, so that what has changed since is found before
anything runs.
"""

from sheetgrpc.clock import Draw
from sheetgrpc.engine import intents
from sheetgrpc.engine.approving import SubmitApproved
from sheetgrpc.engine.context import Context
from sheetgrpc.engine.sheet_steps import ParseSheet, check_queue
from sheetgrpc.engine.views import Outcome
from sheetgrpc.errors import NotAllowed, Reason
from sheetgrpc.planning.model import Analysis
from sheetgrpc.session import commands
from sheetgrpc.session.model import Session, State
from sheetgrpc.store.records import Changes, ExecutionFilter, ExecutionRow, SessionRow


class ReplayExecution(ParseSheet):
    """Queues a run of the same sheet, in the same way."""

    def __init__(self, context: Context, intent: intents.ReplayExecution, caller: str) -> None:
        super().__init__(context)
        self._intent = intent
        self._caller = caller
        self._submit = SubmitApproved(context, intents.SubmitSheet(confirm=intent.confirm), caller)
        self._parses = False

    async def prepare(self, row: SessionRow | None) -> None:
        """Finds the execution, and parses its sheet again where that is needed."""
        if row is None:
            raise RuntimeError("an execution has a session")
        original = await self.context.store.execution(self._intent.execution)
        await self._check(original, row.session)
        submit = intents.SubmitSheet(
            confirm=self._intent.confirm,
            mode=original.mode,
            timeout=original.timeout,
            priority=original.priority,
            replay_of=original.id,
            plan_digest=original.plan_digest,
            max_rows_affected=original.max_rows_affected,
            table_budgets=original.table_budgets,
            approval_id=original.approval_id,
        )
        self._submit = SubmitApproved(self.context, submit, self._caller)
        self._parses = row.session.state is not State.READY
        if not self._parses:
            await self._submit.prepare(row)
            return
        await check_queue(self.context)
        await super().prepare(row)
        if not _is_clean(self._analysis):
            raise _refusal(original, "its sheet does not parse clean any more; parse the session's sheet to see why")
        await self._submit.judge(row.session)  # as any submit of it: budgets, and the approvals' policy

    def command(self, draw: Draw) -> commands.Command:
        """What was found, or the submit itself."""
        return super().command(draw) if self._parses else self._submit.command(draw)

    def following(self, draw: Draw) -> tuple[commands.Command, ...]:
        """The submit of what was parsed."""
        return (self._submit.command(draw),) if self._parses else ()

    def changes(self, session: Session, draw: Draw, changes: Changes) -> None:
        """The findings, and the execution's row."""
        if self._parses:
            super().changes(session, draw, changes)
        self._submit.changes(session, draw, changes)

    def outcome(self, row: SessionRow, changes: Changes) -> Outcome:
        """The session and the queued execution."""
        return self._submit.outcome(row, changes)

    def woken(self, changes: Changes) -> None:
        """The run may begin."""
        if self._parses:
            super().woken(changes)
        self._submit.woken(changes)

    async def _check(self, original: ExecutionRow, session: Session) -> None:
        """Raises NotAllowed(EXECUTION_NOT_REPLAYABLE)."""
        if not original.state.terminal:
            raise _refusal(original, f"it is {original.state} and has not ended")
        if original.dry_run:
            raise _refusal(original, "it is a dry run; plan the sheet again")
        if original.state.committed:
            raise _refusal(original, f"it {original.state}: what it committed would be done again")
        if session.sheet is None or session.sheet.id != original.sheet_id:
            raise _refusal(original, "its session has another sheet by now")
        replays = await self.context.store.executions(ExecutionFilter(replay_of=original.id), 1, None)
        if replays:
            raise _refusal(original, f'it was replayed as "{replays[0].id}"', replays[0].id)


def _is_clean(analysis: Analysis | None) -> bool:
    return analysis is not None and not (
        analysis.error_count or analysis.syntax_error_count or analysis.unresolved_count
    )


def _refusal(original: ExecutionRow, why: str, replay: str = "") -> NotAllowed:
    metadata = {"execution": original.id, "state": original.state.value}
    return NotAllowed(
        Reason.EXECUTION_NOT_REPLAYABLE,
        f'execution "{original.id}" cannot be replayed: {why}',
        metadata=metadata | ({"replayedBy": replay} if replay else {}),
        resource=("execution", original.id),
    )
